import Tensors

/// A message of chosen scalars: k pairs of a UInt32 index and a Float32 value, 8k bytes, in ascending order of index.  A pair
/// whose index is not below n is padding.
public enum SparseMessage {
  /// 8k.
  public static func byteCount(pairs: Int) -> Int { 8 * pairs }

  /// max(1, ⌊ratio · n⌋), the product in Float64; 0 of nothing.
  public static func pairs(_ ratio: Double, of count: Int) -> Int { min(count, max(1, Int(ratio * Double(count)))) }

  /// target ← target + scale · values.  Padding is skipped, so that no message writes outside the target.
  @inline(never)
  public static func add(
    _ message: UnsafeRawPointer, pairs: Int, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    var pair = 0
    while pair < pairs {
      let index = Int(message.loadUnaligned(fromByteOffset: pair &* 8, as: UInt32.self))
      let value = message.loadUnaligned(fromByteOffset: pair &* 8 &+ 4, as: Float.self)
      if index < count { target[index] += scale * value }
      pair &+= 1
    }
  }

  /// Why bytes are no such message: indices that do not ascend, or padding before a pair; nil where they are one.
  static func fault(_ message: UnsafeRawPointer, pairs: Int, count: Int) -> String? {
    var before = -1
    for pair in 0..<pairs {
      let index = Int(message.loadUnaligned(fromByteOffset: pair &* 8, as: UInt32.self))
      let isPadding = index == Int(UInt32.max)
      if !isPadding && index >= count { return "index \(index) of \(count) scalars" }
      if index <= before && !isPadding { return "index \(index) behind \(before)" }
      before = index
    }
    return nil
  }

  /// Sets a vector to zero at the places of a message: the factor masking of `MomentumCorrection`.
  @inline(never)
  public static func clear(
    _ target: UnsafeMutablePointer<Float>, count: Int, at message: UnsafeRawPointer, pairs: Int
  ) {
    var pair = 0
    while pair < pairs {
      let index = Int(message.loadUnaligned(fromByteOffset: pair &* 8, as: UInt32.self))
      if index < count { target[index] = 0 }
      pair &+= 1
    }
  }

  /// Writes the scalars whose magnitude's bits are above `threshold`, and of those that equal it the first `ties`, but no more
  /// than `pairs` in all; what is left of the message is padding.
  @inline(never)
  static func write(
    _ source: UnsafePointer<Float>, count: Int, above threshold: UInt32, ties: Int, pairs: Int,
    into message: UnsafeMutableRawPointer
  ) {
    var written = 0
    var ties = ties
    var first = 0
    while first < count && written < pairs {
      let end = min(first &+ RadixSelection.block, count)
      // Most blocks hold nothing to send; their maximum is a few vector instructions.
      guard RadixSelection.largest(source, first, end) >= threshold else {
        first = end
        continue
      }
      var i = first
      while i < end && written < pairs {
        let magnitude = source[i].bitPattern & 0x7FFF_FFFF
        if magnitude > threshold || magnitude == threshold && ties > 0 {
          if magnitude == threshold { ties &-= 1 }
          store(UInt32(truncatingIfNeeded: i), source[i], written, message)
          written &+= 1
        }
        i &+= 1
      }
      first = end
    }
    while written < pairs {
      store(.max, 0, written, message)
      written &+= 1
    }
  }

  @inline(__always)
  private static func store(_ index: UInt32, _ value: Float, _ pair: Int, _ message: UnsafeMutableRawPointer) {
    message.storeBytes(of: UInt64(index) | UInt64(value.bitPattern) &<< 32, toByteOffset: pair &* 8, as: UInt64.self)
  }
}

import Tensors

/// A uniformly random subset of k of 0..<n, in ascending order, the same for all workers of a step and bucket.
///
/// Places are drawn until k distinct ones, or n − k to leave out if that is fewer, are marked in a map of n bits, which is then
/// read in order.  Cost: n ln(n / (n − k)) draws expected for k up to n/2, 0.7 n at most, and n/64 words read.
/// Memory: n/8 bytes and 4k.
public final class RandomSubset {
  private let memory: Storage
  private let map: UnsafeMutablePointer<UInt64>
  private let drawn: UnsafeMutablePointer<UInt32>
  private let capacity: (count: Int, indices: Int)
  /// How many indices the latest draw gave.
  public private(set) var count = 0

  /// Room for subsets of at most `indices` of at most `count` places.
  public init(capacity count: Int, indices: Int) {
    precondition(count <= Int(UInt32.max), "a subset of \(count) places")
    capacity = (count, indices)
    let words = (count + 63) / 64
    memory = Storage(zeros: 2 * words + indices)
    let raw = UnsafeMutableRawPointer(memory.base)
    map = raw.bindMemory(to: UInt64.self, capacity: words)
    drawn = (raw + 8 * words).bindMemory(to: UInt32.self, capacity: indices)
  }

  /// The indices of the latest draw, ascending.
  public var indices: UnsafePointer<UInt32> { UnsafePointer(drawn) }

  /// Draws `size` of `count` places by seed, step and bucket; the worker does not matter.
  public func draw(_ size: Int, of count: Int, key: CompressionKey) {
    precondition(
      size <= count && count <= capacity.count && size <= capacity.indices, "a subset of \(size) of \(count)")
    let isComplement = size > count / 2
    let words = (count + 63) / 64
    map.update(repeating: 0, count: words)
    mark(isComplement ? count - size : size, of: count, key)
    var found = 0
    for word in 0..<words {
      var bits = isComplement ? ~map[word] : map[word]
      while bits != 0 && found < size {
        drawn[found] = UInt32(truncatingIfNeeded: word &* 64 &+ bits.trailingZeroBitCount)
        bits &= bits &- 1
        found &+= 1
      }
    }
    self.count = size
  }

  private func mark(_ size: Int, of count: Int, _ key: CompressionKey) {
    var stream = key.sharedStream
    var marked = 0
    while marked < size {
      let place = stream.below(count)
      let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: place & 63)
      if map[place &>> 6] & bit == 0 {
        map[place &>> 6] |= bit
        marked &+= 1
      }
    }
  }

  /// values[j] ← scale · source[index j].
  public func gather(
    _ source: UnsafePointer<Float>, scaledBy scale: Float = 1, into values: UnsafeMutableRawPointer
  ) {
    for j in 0..<count {
      values.storeBytes(of: scale * source[Int(drawn[j])], toByteOffset: j &* 4, as: Float.self)
    }
  }

  /// target[index j] ← target[index j] + scale · values[j].
  public func scatter(
    _ values: UnsafeRawPointer, scaledBy scale: Float = 1, addingTo target: UnsafeMutablePointer<Float>
  ) {
    for j in 0..<count {
      target[Int(drawn[j])] += scale * values.loadUnaligned(fromByteOffset: j &* 4, as: Float.self)
    }
  }
}

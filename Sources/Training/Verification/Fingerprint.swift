import Tensors

/// A quick hash that tells memory apart which differs by accident; it withstands no forger, for whom there is ``Digest``.
///
/// 32 lanes of h ← rotate(h ⊕ word, 13) · 0x9E3779B1, then the lanes one after the other in the same way with 64 bits.  Every
/// step is one to one in the lane and in the word, so that a single changed word always changes the result.  Cost: one pass at
/// the speed of memory.
enum Fingerprint {
  /// The hash of blocks one after the other, each with its length.
  static func of(_ blocks: [Storage]) -> UInt64 {
    var result: UInt64 = 0
    for block in blocks { result = mixed(result, of(UnsafeRawBufferPointer(block.scalars))) }
    return result
  }

  private typealias Lanes = SIMD16<UInt32>

  private static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var (low, high) = (Lanes(repeating: 0x9E37_79B9), Lanes(repeating: 0x7F4A_7C15))
    guard let base = bytes.baseAddress else { return 0 }
    let width = MemoryLayout<Lanes>.size
    let whole = bytes.count / (2 * width) * (2 * width)
    var offset = 0
    while offset < whole {
      low = mixed(low, base.loadUnaligned(fromByteOffset: offset, as: Lanes.self))
      high = mixed(high, base.loadUnaligned(fromByteOffset: offset &+ width, as: Lanes.self))
      offset &+= 2 * width
    }
    // The end, padded with zeros: the length goes in too.
    while offset < bytes.count {
      var rest = Lanes(repeating: 0)
      withUnsafeMutableBytes(of: &rest) { rest in
        rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<min(offset + width, bytes.count)]))
      }
      low = mixed(low, rest)
      offset += width
    }
    var result = UInt64(bytes.count)
    for lane in 0..<Lanes.scalarCount {
      result = mixed(mixed(result, UInt64(low[lane])), UInt64(high[lane]))
    }
    return result
  }

  @inline(__always)
  private static func mixed(_ lanes: Lanes, _ words: Lanes) -> Lanes {
    let sum = lanes ^ words
    return ((sum &<< 13) | (sum &>> 19)) &* 0x9E37_79B1
  }

  private static func mixed(_ value: UInt64, _ word: UInt64) -> UInt64 {
    let sum = value ^ word
    return ((sum &<< 29) | (sum &>> 35)) &* 0x9E37_79B9_7F4A_7C15
  }
}

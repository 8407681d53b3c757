/// Whole numbers of 1 to 32 bits next to each other: code i takes bits b·i to b·i + b − 1, counted from the lowest bit of byte 0.
/// The bits after the last code are 0.
public enum BitCodes {
  /// ⌈count · bits / 8⌉.
  public static func byteCount(_ count: Int, bits: Int) -> Int { (count * bits + 7) / 8 }

  /// ⌈log₂ count⌉: bits that tell so many apart.
  public static func bits(of count: Int) -> Int { Int.bitWidth - max(0, count - 1).leadingZeroBitCount }

  /// Writes `count` codes, `code` of each place, of which only the lowest bits count.  Cost: one pass.
  @inline(__always)
  public static func pack(
    count: Int, bits: Int, into target: UnsafeMutableRawPointer, _ code: (_ place: Int) -> UInt32
  ) {
    precondition(1...32 ~= bits, "codes of \(bits) bits")
    let mask: UInt64 = 1 &<< UInt64(bits) &- 1
    var (word, filled, offset) = (UInt64(0), 0, 0)
    for place in 0..<count {
      word |= (UInt64(code(place)) & mask) &<< UInt64(filled)
      filled &+= bits
      while filled >= 8 {
        target.storeBytes(of: UInt8(truncatingIfNeeded: word), toByteOffset: offset, as: UInt8.self)
        word &>>= 8
        filled &-= 8
        offset &+= 1
      }
    }
    if filled > 0 { target.storeBytes(of: UInt8(truncatingIfNeeded: word), toByteOffset: offset, as: UInt8.self) }
  }

  /// Calls `body` with every code in order.  Reads ``byteCount(_:bits:)`` bytes, at any address.  Cost: one pass.
  @inline(__always)
  public static func forEach(
    _ source: UnsafeRawPointer, count: Int, bits: Int, _ body: (_ place: Int, _ code: UInt32) -> Void
  ) {
    precondition(1...32 ~= bits, "codes of \(bits) bits")
    let mask: UInt64 = 1 &<< UInt64(bits) &- 1
    var (word, filled, offset) = (UInt64(0), 0, 0)
    for place in 0..<count {
      while filled < bits {
        word |= UInt64(source.load(fromByteOffset: offset, as: UInt8.self)) &<< UInt64(filled)
        filled &+= 8
        offset &+= 1
      }
      body(place, UInt32(truncatingIfNeeded: word & mask))
      word &>>= UInt64(bits)
      filled &-= bits
    }
  }

  /// The largest of some codes; 0 of none.
  public static func largest(_ source: UnsafeRawPointer, count: Int, bits: Int) -> UInt32 {
    var largest: UInt32 = 0
    forEach(source, count: count, bits: bits) { _, code in largest = max(largest, code) }
    return largest
  }

  /// Whether the bits after the last code are 0, as they are in everything that is packed here or as ``SignBits``.
  public static func endsClean(_ source: UnsafeRawPointer, count: Int, bits: Int) -> Bool {
    let used = count * bits
    if used & 7 == 0 { return true }
    return source.load(fromByteOffset: used >> 3, as: UInt8.self) >> UInt8(used & 7) == 0
  }
}

/// Codes of 1 to 8 bits next to each other: code i takes bits b·i to b·i + b − 1, counted from the lowest bit of byte 0.
enum BitPacking {
  /// ⌈count · bits / 8⌉.
  static func byteCount(_ count: Int, bits: Int) -> Int { (count * bits + 7) / 8 }

  /// Packs one code a byte, each below 2^bits; the bits after the last code are 0.
  @inline(never)
  static func pack(
    _ codes: UnsafePointer<UInt8>, count: Int, bits: Int, into target: UnsafeMutableRawPointer
  ) {
    let source = UnsafeRawPointer(codes)
    let end = byteCount(count, bits: bits)
    var offset = 0
    var i = 0
    while i &+ 8 <= count {
      let word = narrowed(source.loadUnaligned(fromByteOffset: i, as: UInt64.self), bits)
      if offset &+ 8 <= end {  // its upper bytes are overwritten by the next word
        target.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self)
      } else {
        store(word, bytes: bits, target + offset)
      }
      i &+= 8
      offset &+= bits
    }
    if i < count {
      var word: UInt64 = 0
      for rest in 0..<(count - i) { word |= UInt64(codes[i + rest]) << UInt64(rest * bits) }
      store(word, bytes: end - offset, target + offset)
    }
  }

  /// Writes one code a byte; `codes` has room for a multiple of eight.
  @inline(never)
  static func unpack(_ source: UnsafeRawPointer, count: Int, bits: Int, into codes: UnsafeMutablePointer<UInt8>) {
    let target = UnsafeMutableRawPointer(codes)
    let end = byteCount(count, bits: bits)
    var offset = 0
    var i = 0
    while i < count {
      let word =
        offset &+ 8 <= end
        ? source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        : load(bytes: min(bits, end &- offset), source + offset)
      target.storeBytes(of: widened(word, bits), toByteOffset: i, as: UInt64.self)
      i &+= 8
      offset &+= bits
    }
  }

  private static func store(_ word: UInt64, bytes: Int, _ target: UnsafeMutableRawPointer) {
    for byte in 0..<bytes {
      target.storeBytes(of: UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)), toByteOffset: byte, as: UInt8.self)
    }
  }

  private static func load(bytes: Int, _ source: UnsafeRawPointer) -> UInt64 {
    var word: UInt64 = 0
    for byte in 0..<bytes { word |= UInt64(source.load(fromByteOffset: byte, as: UInt8.self)) << UInt64(8 * byte) }
    return word
  }

  /// Eight codes of a byte each to eight of `bits` each, in the lowest bits: neighbours first, then pairs, then fours.
  @inline(__always)
  private static func narrowed(_ codes: UInt64, _ bits: Int) -> UInt64 {
    let bits = UInt64(bits)
    let ones = codes & 0x00FF_00FF_00FF_00FF | (codes &>> 8 & 0x00FF_00FF_00FF_00FF) &<< bits
    let twos = ones & 0x0000_FFFF_0000_FFFF | (ones &>> 16 & 0x0000_FFFF_0000_FFFF) &<< (2 &* bits)
    return twos & 0xFFFF_FFFF | (twos &>> 32) &<< (4 &* bits)
  }

  /// The way back; bits above the eight codes do not matter.
  @inline(__always)
  private static func widened(_ word: UInt64, _ bits: Int) -> UInt64 {
    let bits = UInt64(bits)
    let four = (1 &<< (4 &* bits)) &- 1
    let twos = word & four | (word &>> (4 &* bits) & four) &<< 32
    let two = ((1 &<< (2 &* bits)) &- 1) &* 0x0000_0001_0000_0001
    let ones = twos & two | (twos &>> (2 &* bits) & two) &<< 16
    let one = ((1 &<< bits) &- 1) &* 0x0001_0001_0001_0001
    return ones & one | (ones &>> bits & one) &<< 8
  }
}

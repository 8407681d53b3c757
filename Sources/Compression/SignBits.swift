/// Signs of a vector, a bit each: bit i mod 8 of byte ⌊i / 8⌋ is 1 for +1 and 0 for −1.  Zero of either sign counts as +1,
/// NaN as −1.  The bits after the last sign are 0.
public enum SignBits {
  /// ⌈count / 8⌉.
  public static func byteCount(_ count: Int) -> Int { (count + 7) / 8 }

  /// Packs the signs of scalars.
  @inline(never)
  public static func pack(_ source: UnsafePointer<Float>, count: Int, into bits: UnsafeMutableRawPointer) {
    let raw = UnsafeRawPointer(source)
    var i = 0
    while i &+ 16 <= count {
      let lanes = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Float>.self)
      bits.storeBytes(of: word(lanes .>= SIMD16<Float>.zero), toByteOffset: i &>> 3, as: UInt16.self)
      i &+= 16
    }
    packTail(from: i, count, bits) { source[$0] >= 0 }
  }

  /// target ← target + `positive` where the sign is +1, + `negative` where it is −1.
  @inline(never)
  public static func add(
    _ bits: UnsafeRawPointer, count: Int, positive: Float, negative: Float, to target: UnsafeMutablePointer<Float>
  ) {
    let raw = UnsafeMutableRawPointer(target)
    let (positives, negatives) = (SIMD16<Float>(repeating: positive), SIMD16<Float>(repeating: negative))
    var i = 0
    while i &+ 16 <= count {
      let values = negatives.replacing(with: positives, where: mask(bits, i))
      let sum = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Float>.self) + values
      raw.storeBytes(of: sum, toByteOffset: i &* 4, as: SIMD16<Float>.self)
      i &+= 16
    }
    while i < count {
      target[i] += isPositive(bits, i) ? positive : negative
      i &+= 1
    }
  }

  /// How many signs are +1.
  public static func positives(_ bits: UnsafeRawPointer, count: Int) -> Int {
    var positives = 0
    var byte = 0
    while byte &+ 8 <= byteCount(count) {
      positives &+= bits.loadUnaligned(fromByteOffset: byte, as: UInt64.self).nonzeroBitCount
      byte &+= 8
    }
    while byte < byteCount(count) {
      positives &+= bits.load(fromByteOffset: byte, as: UInt8.self).nonzeroBitCount
      byte &+= 1
    }
    return positives
  }

  /// Adds +1 or −1 to the tally of each place: votes that arrive one by one, in any order.
  @inline(never)
  public static func addVotes(_ bits: UnsafeRawPointer, count: Int, to tally: UnsafeMutablePointer<Int32>) {
    let raw = UnsafeMutableRawPointer(tally)
    let (up, down) = (SIMD16<Int32>(repeating: 1), SIMD16<Int32>(repeating: -1))
    var i = 0
    while i &+ 16 <= count {
      let votes = down.replacing(with: up, where: mask(bits, i))
      let sum = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Int32>.self) &+ votes
      raw.storeBytes(of: sum, toByteOffset: i &* 4, as: SIMD16<Int32>.self)
      i &+= 16
    }
    while i < count {
      tally[i] &+= isPositive(bits, i) ? 1 : -1
      i &+= 1
    }
  }

  /// The majority of `voters` packed vectors, the first at `ballots`, each `stride` bytes after the one before; a tie is +1.
  @inline(never)
  public static func majority(
    of ballots: UnsafeRawPointer, stride: Int, voters: Int, count: Int, into bits: UnsafeMutableRawPointer
  ) {
    let half = SIMD16<Int32>(repeating: Int32((voters + 1) / 2))
    let one = SIMD16<Int32>(repeating: 1)
    var i = 0
    while i &+ 16 <= count {
      var ballot = ballots
      var votes = SIMD16<Int32>.zero
      var voter = 0
      while voter < voters {
        votes = votes.replacing(with: votes &+ one, where: mask(ballot, i))
        ballot += stride
        voter &+= 1
      }
      bits.storeBytes(of: word(votes .>= half), toByteOffset: i &>> 3, as: UInt16.self)
      i &+= 16
    }
    packTail(from: i, count, bits) { place in
      var votes = 0
      for voter in 0..<voters where isPositive(ballots + voter * stride, place) { votes += 1 }
      return 2 * votes >= voters
    }
  }

  private static var places: SIMD16<UInt32> {
    SIMD16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
  }

  /// Sixteen bits of a mask, lane 0 lowest.
  @inline(__always)
  private static func word(_ mask: SIMDMask<SIMD16<Int32>>) -> UInt16 {
    let sixteen = SIMD16<UInt32>.zero.replacing(with: places, where: mask)
    let eight = sixteen.lowHalf | sixteen.highHalf
    let four = eight.lowHalf | eight.highHalf
    let two = four.lowHalf | four.highHalf
    return UInt16(truncatingIfNeeded: two.x | two.y)
  }

  /// Which of the sixteen signs from `index` on are +1.
  @inline(__always)
  private static func mask(_ bits: UnsafeRawPointer, _ index: Int) -> SIMDMask<SIMD16<Int32>> {
    let word = UInt32(bits.loadUnaligned(fromByteOffset: index &>> 3, as: UInt16.self))
    return (SIMD16<UInt32>(repeating: word) & places) .!= SIMD16<UInt32>.zero
  }

  @inline(__always)
  private static func isPositive(_ bits: UnsafeRawPointer, _ index: Int) -> Bool {
    bits.load(fromByteOffset: index &>> 3, as: UInt8.self) &>> UInt8(truncatingIfNeeded: index & 7) & 1 != 0
  }

  private static func packTail(
    from first: Int, _ count: Int, _ bits: UnsafeMutableRawPointer, _ isPositive: (Int) -> Bool
  ) {
    var i = first
    while i < count {
      var byte: UInt8 = 0
      for bit in 0..<min(8, count - i) where isPositive(i + bit) { byte |= 1 << UInt8(bit) }
      bits.storeBytes(of: byte, toByteOffset: i >> 3, as: UInt8.self)
      i += 8
    }
  }
}

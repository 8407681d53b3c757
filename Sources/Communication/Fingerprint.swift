/// A number that stands for a sequence of numbers, the same in every process. (FNV-1a, Fowler, Noll and Vo 1991, on whole
/// words, with a final mix.)
package struct Fingerprint: Sendable, Hashable {
  private var state: UInt64 = 0xCBF2_9CE4_8422_2325

  package init() {}

  /// Continues the sequence.
  @inline(__always)
  package mutating func mix(_ number: Int) {
    state = (state ^ UInt64(truncatingIfNeeded: number)) &* 0x0000_0100_0000_01B3
    state ^= state &>> 29
  }

  /// Continues the sequence with another's.
  package mutating func mix(_ other: Fingerprint) { mix(Int(truncatingIfNeeded: other.value)) }

  /// All bits of the number.
  package var value: UInt64 {
    var mixed = state
    mixed = (mixed ^ (mixed &>> 33)) &* 0xFF51_AFD7_ED55_8CCD
    return mixed ^ (mixed &>> 33)
  }
}

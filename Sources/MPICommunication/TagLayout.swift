import Communication

/// The tags of a collective's messages: its number, and what was called so far.
///
/// Because the calls stand in the tag, messages of calls that contradict each other do not meet: neither is taken for the
/// other, and both ranks wait, until they find out what the other called.
struct TagLayout {
  /// Bits of the tag that say what was called; the others number the calls.
  private let bits: Int
  private let numbers: Int

  /// For tags up to `largestTag`, at least 2¹⁹ − 1.
  init(largestTag: Int) {
    let available = Int.bitWidth - (largestTag + 1).leadingZeroBitCount - 1
    bits = min(20, available - 10)
    numbers = 1 << (available - bits)
  }

  /// The tag of the n-th collective, where `calls` stands for it and all before; numbers wrap around.
  func tag(_ calls: Fingerprint, number: Int) -> CInt {
    CInt((number % numbers) << bits | Int(calls.value & (1 << UInt64(bits) - 1)))
  }
}

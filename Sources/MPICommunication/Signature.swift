import Communication

/// The tags of a collective's messages: its number, and what it is.
///
/// Because the call stands in the tag, messages of calls that contradict each other do not meet: neither is taken for the
/// other, and both ranks wait, until they find out what the other called.
struct Signature {
  /// Bits of the tag that say what the call is; the others number it.
  private let bits: Int
  private let numbers: Int

  /// For tags up to `largestTag`, at least 2¹⁹ − 1.
  init(largestTag: Int) {
    let available = Int.bitWidth - (largestTag + 1).leadingZeroBitCount - 1
    bits = min(20, available - 10)
    numbers = 1 << (available - bits)
  }

  /// The tag of the n-th collective; numbers wrap around.
  func tag(_ call: Fingerprint, number: Int) -> CInt {
    CInt((number % numbers) << bits | Int(call.value & (1 << UInt64(bits) - 1)))
  }

  /// Whether two tags have one number and are of different calls.
  func areRivals(_ a: CInt, _ b: CInt) -> Bool { a != b && a >> CInt(bits) == b >> CInt(bits) }
}

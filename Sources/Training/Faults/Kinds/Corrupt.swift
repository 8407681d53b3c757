import Communication
import Configuration

/// A bit of what a rank receives is wrong, as from bad memory or a bad network card.
struct Corrupt: Fault {
  static let name = "corrupt"
  static let help = """
    A bit of what the rank receives in the step is flipped, in the first number that is not zero. Under `allreduce` its \
    parameters come to differ from the others', which the next comparison of digests ends with exit code 7. What other \
    strategies make of it is their affair: some exchange the loss first (`call: 2`), those that average replicas exchange \
    them after `at: update`.
    """
  static let example = "corrupt: {rank: 1, step: 40, bit: 22}"
  let occasion: FaultOccasion
  private let call: Int
  private let bit: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofRank(&options, at: [.start, .gradients, .update])
    call = try options.integer(
      "call", default: 1, in: 1...1 << 20, "which exchange from then on that brings the rank something, from 1")
    bit = try options.integer(
      "bit", default: 22, in: 0...63,
      "the bit of the number, from the lowest, and beyond its highest from the lowest again; 22 changes a "
        + "Float32 by a quarter to a half, 31 is its sign")
  }

  var ranksNeeded: Int { 2 }

  func happen(to rank: FaultyRank) throws(CommunicationError) { rank.corrupt(call: call, bit: bit) }
}

import Communication
import Configuration

/// A rank stops answering, as one whose machine swaps or whose network is cut.
struct Hang: Fault {
  static let name = "hang"
  static let help = """
    The rank stops answering. The others wait as long as NNDIST_TIMEOUT_SECONDS says and end with exit code 6; a rank alone \
    waits until somebody ends it.
    """
  static let example = "hang: {rank: 1, step: 40}"
  let occasion: FaultOccasion
  private let seconds: Double?

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofRank(&options)
    seconds = try options.optionalNumber(
      "seconds", in: .between(0, 1e6), unit: "seconds", "how long; without it for ever")
  }

  func happen(to rank: FaultyRank) throws(CommunicationError) {
    try rank.communicator.hang(
      seconds: seconds, "rank \(rank.rank) stopped answering \(occasion), as faults demands, and the others gave it up")
  }
}

import Communication
import Configuration

/// A rank comes late, as one beside other work.
struct Delay: Fault {
  static let name = "delay"
  static let help = "The rank comes late: it sleeps, and then goes on. No bit of the result changes."
  static let example = "delay: {rank: 0, step: 40, seconds: 0.5}"
  let occasion: FaultOccasion
  private let seconds: Double

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofRank(&options)
    seconds = try options.number("seconds", in: .between(0, 1e6), unit: "seconds", "how long")
  }

  func happen(to rank: FaultyRank) throws(CommunicationError) {
    try rank.communicator.hang(
      seconds: seconds, "rank \(rank.rank) was delayed \(occasion), as faults demands, and the others gave it up")
  }
}

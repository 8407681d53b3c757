import Communication
import Configuration

/// A rank ends without a word, as by `kill -9` or a failing machine.
struct Kill: Fault {
  static let name = "kill"
  static let help = """
    The rank ends without a word: its process kills itself. Ranks that are threads of `simulate` leave alone, the others lose \
    them, and the program ends with exit code 6.
    """
  static let example = "kill: {rank: 1, step: 40, at: gradients}"
  let occasion: FaultOccasion

  init(_ options: inout Options) throws(ConfigurationError) { occasion = try .ofRank(&options) }

  func happen(to rank: FaultyRank) throws(CommunicationError) {
    try rank.communicator.die("rank \(rank.rank) was killed \(occasion), as faults demands")
  }
}

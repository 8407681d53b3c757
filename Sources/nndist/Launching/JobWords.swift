import Configuration
import Training

/// What the words after `mpirun` say about a job, as far as its settings depend on it.
struct JobWords {
  /// The words, with this program's file in place of the first `nndist`.
  private(set) var words: [String] = []
  /// Ranks in all; nil where mpirun decides.
  private(set) var ranks: Int?
  /// Threads of a rank.
  private(set) var threads = 1
  /// Whether hosts are named.
  private(set) var namesHosts = false
  /// Whether binding or mapping is chosen.
  private(set) var placesRanks = false
  /// Whether the program is nndist.
  private(set) var startsNndist = false

  /// Reads the words; nothing is refused, that is mpirun's to do.
  init(_ given: [String]) {
    var previous = ""
    for (index, word) in given.enumerated() {
      if word == "nndist" {
        startsNndist = true
        words += [Host.ownProgram] + given[(index + 1)...]
        threads = JobWords.threads(of: Array(given[(index + 1)...]))
        return
      }
      words.append(word)
      switch previous {
      case "-n", "--n", "-np", "--np", "-c": if let count = Int(word), count > 0 { ranks = (ranks ?? 0) + count }
      default: break
      }
      switch word {
      case "-H", "-host", "--host", "-hostfile", "--hostfile", "-machinefile", "--machinefile": namesHosts = true
      case "--bind-to", "-bind-to", "--map-by", "-map-by", "--rankfile", "-rf", "--cpu-set", "--oversubscribe":
        placesRanks = true
      default: break
      }
      previous = word
    }
  }

  /// `compute.threads` as a command of nndist sets it; 1 where it does not, or cannot be read.
  private static func threads(of command: [String]) -> Int {
    guard let verb = Verbs.all.first(where: { $0.name == command.first }),
      let arguments = try? Arguments(Array(command.dropFirst()), verb: verb)
    else { return 1 }
    let file = command.first { $0.hasSuffix(".yaml") }.flatMap { try? Node.load($0) } ?? .empty
    let node = try? ConfigurationLoading.overridden(file, arguments)
    return max(1, node?["compute"]?["threads"]?.integer ?? 1)
  }
}

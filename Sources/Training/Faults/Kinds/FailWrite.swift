import Configuration
import Glibc

/// A file cannot be written, as on a failing disk.
struct FailWrite: Fault {
  static let name = "fail-write"
  static let help = """
    A write fails with an input/output error. Training ends with exit code 9 and its earlier checkpoints as they were; only a \
    line of metrics that is lost is said in the log, and no more.
    """
  static let example = "fail-write: {step: 40, file: manifest.json}"
  let occasion: FaultOccasion
  private let file: FaultyFile

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofFiles(&options)
    file = try FaultyFile(&options)
  }

  func prepare(_ rank: FaultyRank, identifier: Int) {
    rank.writes.demand(identifier, step: occasion.step, file: file.name, ordinal: file.write, code: EIO)
  }
}

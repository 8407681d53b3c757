import Configuration
import Glibc

/// The disk is full.
struct FillDisk: Fault {
  static let name = "fill-disk"
  static let help = "A write fails because no space is left; otherwise like `fail-write`."
  static let example = "fill-disk: {step: 40}"
  let occasion: FaultOccasion
  private let file: FaultyFile

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofFiles(&options)
    file = try FaultyFile(&options)
  }

  func prepare(_ rank: FaultyRank, identifier: Int) {
    rank.writes.demand(identifier, step: occasion.step, file: file.name, ordinal: file.write, code: ENOSPC)
  }
}

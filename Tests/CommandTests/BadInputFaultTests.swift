import Foundation
import Testing

@Suite("Faults that cannot be read, or not happen, are exit 3")
struct BadInputFaultTests {
  private func folder() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(FaultTests.text, to: "a.yaml")
    return tool
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let faults: String
    let words: [String]
    var testDescription: String { faults }

    init(_ faults: String, says words: String...) {
      self.faults = faults
      self.words = words
    }
  }

  static let unreadableFaults = [
    Case("kill", says: "faults", "list", "{kill: {rank: 1, step: 5}}"),
    Case("{kill: {step: 3}}", says: "faults", "list"),
    Case("[kill]", says: "faults.0", "no fault"),
    Case("[{kill: {step: 3}}, {}]", says: "faults.1", "no fault"),
    Case("[{kill: {step: 3}, hang: {step: 4}}]", says: "faults.0", "no fault"),
    Case("[{kil: {step: 3}}]", says: "faults.0", "`kil`", "did you mean `kill`?"),
    Case("[{earthquake: {step: 3}}]", says: "`earthquake`", "fill-disk"),
    Case("[{kill: 3}]", says: "faults.0.kill", "keys and values"),
    Case("[{kill: }]", says: "faults.0.kill.step", "missing"),
    Case("[{kill: {rank: 1}}]", says: "faults.0.kill.step", "missing"),
    Case("[{kill: {stpe: 3}}]", says: "faults.0.kill.step", "`stpe`"),
    Case("[{kill: {step: 3, rnak: 1}}]", says: "`rnak`", "`rank`"),
    Case("[{kill: {step: 0}}]", says: "faults.0.kill.step", "0"),
    Case("[{kill: {step: 3, rank: -1}}]", says: "faults.0.kill.rank", "-1"),
    Case("[{kill: {step: 3, at: never}}]", says: "faults.0.kill.at", "never", "gradients"),
    Case("[{kill: {step: 3, attempt: 0}}]", says: "faults.0.kill.attempt", "`0`", "every"),
    Case("[{kill: {step: 3, attempt: always}}]", says: "faults.0.kill.attempt", "`always`", "every"),
    Case("[{kill: {step: 3, seconds: 3}}]", says: "`seconds`"),
    Case("[{hang: {step: 3, seconds: -1}}]", says: "faults.0.hang.seconds", "-1"),
    Case("[{delay: {step: 3}}]", says: "faults.0.delay.seconds", "missing"),
    Case("[{corrupt: {step: 3, bit: 64}}]", says: "faults.0.corrupt.bit", "64"),
    Case("[{corrupt: {step: 3, call: 0}}]", says: "faults.0.corrupt.call", "0"),
    Case("[{corrupt: {step: 3, at: checkpoint}}]", says: "faults.0.corrupt.at", "checkpoint"),
    Case("[{nan: {step: 3, rank: 1}}]", says: "`rank`"),
    Case("[{nan: {step: 3, loss: maybe}}]", says: "faults.0.nan.loss", "maybe"),
    Case("[{fail-write: {step: 3, write: 0}}]", says: "faults.0.fail-write.write", "0"),
    Case("[{fill-disk: {step: -1}}]", says: "faults.0.fill-disk.step", "-1"),
  ]

  @Test("is exit 3 and leaves nothing behind", arguments: unreadableFaults)
  func unreadable(_ bad: Case) throws {
    let tool = try folder()
    try expectRefusal(tool, ["train", "a.yaml", "--run", "run", "--set", "faults=\(bad.faults)"], 3, bad.words)
  }

  static let impossibleFaults = [
    Case("[{kill: {rank: 2, step: 3}}]", says: "faults.0.kill.rank is 2", "ranks 0 to 1"),
    Case("[{nan: {shard: 4, step: 3}}]", says: "faults.0.nan.shard is 4", "shards 0 to 3"),
    Case("[{delay: {step: 1, seconds: 0}}, {hang: {step: 13}}]", says: "faults.1.hang.step is 13", "after step 12"),
    Case("[{fill-disk: {step: 13}}]", says: "faults.0.fill-disk.step is 13"),
    Case("[{kill: {rank: 2, step: 3, attempt: 2}}]", says: "faults.0.kill.rank is 2"),
  ]

  @Test("and so is what the run does not have", arguments: impossibleFaults)
  func impossible(_ bad: Case) throws {
    let tool = try folder()
    let words = ["simulate", "a.yaml", "--run", "run", "--ranks", "2", "--set", "faults=\(bad.faults)"]
    try expectRefusal(tool, words, 3, bad.words)
    let ranks = try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "run", "--set", "faults=\(bad.faults)")
    ranks.expectFailure(3, bad.words[0])
    #expect(!tool.exists("run"))
  }

  @Test("one rank alone has no other ranks, and receives nothing")
  func alone() throws {
    let tool = try folder()
    let words = ["train", "a.yaml", "--run", "run", "--set"]
    try expectRefusal(tool, words + ["faults=[{kill: {rank: 1, step: 3}}]"], 3, ["rank is 1", "rank 0 only"])
    try expectRefusal(tool, words + ["faults=[{corrupt: {step: 3}}]"], 3, ["faults.0.corrupt", "at least 2 ranks"])
  }

  @Test("in a file it is named with its line")
  func line() throws {
    let tool = try folder()
    try tool.write(FaultTests.text + "faults:\n  - kill: {step: 3}\n  - delya: {step: 4, seconds: 1}\n", to: "a.yaml")
    try expectRefusal(tool, ["train", "a.yaml"], 3, ["a.yaml:10", "faults.1", "did you mean `delay`?"])
    try tool.write(FaultTests.text + "faults:\n  - kill: {step: 3}\n  - delay: {step: 40, seconds: 1}\n", to: "a.yaml")
    try expectRefusal(tool, ["train", "a.yaml"], 3, ["a.yaml:10", "faults.1.delay.step is 40"])
  }

  @Test("every example of the help can be read")
  func examples() throws {
    let tool = try folder()
    let page = try tool.run("help", "faults").output
    let examples = page.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { $0.hasPrefix("- ") }.map { $0.dropFirst(2) }
    #expect(examples.count == 7)
    for example in examples {
      try tool.run("check", "a.yaml", "--no-gradients", "--set", "faults=[{\(example)}]").expectSuccess()
    }
  }
}

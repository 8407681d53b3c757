import Foundation
import Testing

/// A training that ran alone, in the folder `alone`, and to which others are held.
struct TrialRun {
  private let trial: Trial
  private let tool: CommandLineTool
  private let words: [String]
  private let alone: CommandResult
  private let history: [[String]]

  /// Runs it, with checkpoints from its middle on.
  init(_ trial: Trial, _ tool: CommandLineTool) throws {
    self.trial = trial
    self.tool = tool
    words = trial.words + ["--set", "checkpoint={every: \(trial.middle) steps, keep: 100}"]
    alone = try tool.run(["train"] + words + ["--json", "--run", "alone"])
    alone.expectSuccess()
    #expect(alone.digest.count == 64)
    history = try tool.history("alone")
  }

  /// Runs it another way: parameters, and losses and accuracies of all steps and evaluations, are the same.
  @discardableResult
  func expectSame(_ way: Way, _ run: String) throws -> CommandResult {
    let result = try way.train(tool, words + ["--run", run])
    try hold(result, run, way)
    return result
  }

  /// Takes a run back to its middle and goes on from there another way.
  func expectSame(_ way: Way, rewinding run: String) throws {
    try tool.rewind(run, to: trial.middle)
    try hold(way.train(tool, words + ["--run", run, "--resume"]), run, way)
  }

  private func hold(_ other: CommandResult, _ run: String, _ way: Way) throws {
    other.expectSuccess()
    #expect(other.digest == alone.digest, "\(way): \(other.command)")
    #expect(try tool.history(run) == history, "\(way): \(other.command)")
    #expect(other.json["ranks"] as? Int == way.ranks)
    #expect((other.json["bytes_sent"] as? [Int])?.count == way.ranks)
    for key in ["loss", "accuracy", "steps", "samples", "epochs", "parameters"] {
      #expect(other.json[key] as? Double == alone.json[key] as? Double, "\(key) of \(other.command)")
    }
  }
}

import Foundation
import Testing

@Suite("A run that goes on comes to the result of one that was never disturbed")
struct InvarianceResumeTests {
  /// Trains to the end, then again from a checkpoint in the middle: the later ones and the result are removed.
  private func interrupted(_ tool: CommandLineTool, _ name: String, at step: Int, every: Int) throws -> String {
    let whole = try tool.run(
      "train", "\(name).yaml", "--json", "--run", "run", "--set", "checkpoint.every=\(every) steps", "--set",
      "checkpoint.keep=100")
    whole.expectSuccess()
    try tool.rewind("run", to: step)
    return whole.digest
  }

  @Test(
    "on another number of ranks, from the middle of an epoch",
    arguments: [("mlp", 4), ("cnn", 9), ("photographs", 3), ("gpt", 6)], [1, 3])
  func ranks(_ experiment: (name: String, step: Int), _ ranks: Int) throws {
    let tool = try Experiments.folder()
    let (name, step) = experiment
    let digest = try interrupted(tool, name, at: step, every: step)
    let resumed = try tool.run(
      "simulate", "\(name).yaml", "--json", "--run", "run", "--resume", "--ranks", "\(ranks)")
    resumed.expectSuccess()
    #expect(resumed.digest == digest)
    // The steps before are not made again, and each has one line.
    let steps = try metrics(tool).compactMap { $0["set"] == nil ? $0["step"] as? Int : nil }
    let total = try #require(resumed.json["steps"] as? Int)
    #expect(steps == Array(1...total))
  }

  @Test("under mpirun")
  func mpi() throws {
    let tool = try Experiments.folder()
    let digest = try interrupted(tool, "cnn", at: 8, every: 4)
    let resumed = try tool.mpirun(ranks: 2, "train", "cnn.yaml", "--json", "--run", "run", "--resume")
    resumed.expectSuccess()
    #expect(resumed.digest == digest)
  }

  @Test("with stages, and once more when there is nothing left to do", arguments: [true, false])
  func stages(_ keepsResult: Bool) throws {
    let tool = try Experiments.folder()
    let changes = ["training={epochs: 1, batch: 40, shards: 2}", "learning={name: dgl, stages: 2}"]
    let words = ["simulate", "mlp.yaml", "--ranks", "2", "--json", "--run", "run"] + changes.flatMap { ["--set", $0] }
    let whole = try tool.run(words)
    whole.expectSuccess()
    if !keepsResult { try FileManager.default.removeItem(atPath: tool.path("run/result.json")) }
    let again = try tool.run(words + ["--resume"])
    again.expectSuccess()
    #expect(again.digest == whole.digest)
  }

  @Test("when early stopping counts evaluations from before")
  func earlyStop() throws {
    let tool = try Experiments.folder()
    let whole = try tool.run("train", "early.yaml", "--json", "--run", "whole")
    whole.expectSuccess()
    let steps = try #require(whole.json["steps"] as? Int)
    let step = steps - 8
    let digest = try interrupted(tool, "early", at: step, every: step)
    #expect(digest == whole.digest)
    let resumed = try tool.run("train", "early.yaml", "--json", "--run", "run", "--resume")
    resumed.expectSuccess()
    #expect(resumed.digest == digest)
    #expect(resumed.json["steps"] as? Int == steps)
  }

  @Test("and with other values than before it says which")
  func otherValues() throws {
    let tool = try Experiments.folder()
    _ = try interrupted(tool, "mlp", at: 4, every: 4)
    let words = ["train", "mlp.yaml", "--run", "run", "--resume"]
    let same = try tool.run(words + ["--set", "compute.threads=2", "--set", "checkpoint.keep=2"])
    same.expectSuccess()
    #expect(!same.errors.contains("goes on with another"), "\(same.errors)")
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    let other = try tool.run(words + ["--set", "seed=77", "--set", "optimizer.learning-rate=0.017"])
    other.expectSuccess()
    #expect(other.errors.contains("goes on with another seed, optimizer.learning-rate than"), "\(other.errors)")
  }

  @Test("when early stopping had ended it and only its result was lost")
  func stoppedEarly() throws {
    let tool = try Experiments.folder()
    let whole = try tool.run("train", "early.yaml", "--json", "--run", "run")
    whole.expectSuccess()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    let resumed = try tool.run("train", "early.yaml", "--json", "--run", "run", "--resume")
    resumed.expectSuccess()
    #expect(resumed.json["steps"] as? Int == whole.json["steps"] as? Int)
    #expect(resumed.digest == whole.digest)
  }

  @Test("a finished run says its result again, and trains no more")
  func finished() throws {
    let tool = try Experiments.folder()
    let first = try tool.run("train", "digits.yaml", "--json", "--run", "run")
    let before = try tool.data("run/metrics.jsonl")
    let again = try tool.run("train", "digits.yaml", "--json", "--run", "run", "--resume")
    again.expectSuccess()
    #expect(again.outputLines.last == first.outputLines.last)
    #expect(try tool.data("run/metrics.jsonl") == before)
    let ranks = try tool.mpirun(ranks: 2, "train", "digits.yaml", "--json", "--run", "run", "--resume")
    ranks.expectSuccess()
    #expect(ranks.outputLines.last == first.outputLines.last)
  }

  @Test("with nothing to go on from, training starts from the beginning and says so")
  func nothing() throws {
    let tool = try Experiments.folder()
    let first = try tool.run("train", "digits.yaml", "--json")
    let again = try tool.run("train", "digits.yaml", "--json", "--run", "new", "--resume")
    again.expectSuccess()
    #expect(again.digest == first.digest)
    #expect(again.errors.contains("no usable checkpoint: training starts from the beginning"))
    #expect(try tool.text("new/log.txt").contains("no usable checkpoint"))
  }

  @Test("a run whose shards are its ranks keeps their number, and goes on with as many ranks or fewer")
  func otherShards() throws {
    let tool = try CommandLineTool()
    let text = CommandLineTool.digits.replacingOccurrences(of: ", shards: 4", with: "")
    try tool.write(text, to: "a.yaml")
    let whole = try tool.run(
      "simulate", "a.yaml", "--run", "run", "--ranks", "3", "--json", "--set", "checkpoint.every=5 steps")
    whole.expectSuccess()
    #expect(try tool.text("run/config.yaml").contains("shards: 3"))
    func forget() throws {
      for name in ["result.json", "checkpoints/step-12"] {
        try FileManager.default.removeItem(atPath: tool.path("run/\(name)"))
      }
    }
    try forget()
    try tool.run("simulate", "a.yaml", "--run", "run", "--ranks", "4", "--resume", "--quiet")
      .expectFailure(3, "4 ranks", "training.shards: 3")
    for ranks in [1, 2, 3] {
      let resumed = try tool.run("simulate", "a.yaml", "--run", "run", "--ranks", "\(ranks)", "--resume", "--json")
      resumed.expectSuccess()
      #expect(resumed.digest == whole.digest, "\(ranks) ranks")
      #expect(try tool.text("run/log.txt").contains("steps 11 to 12"))
      try forget()
    }
  }

  @Test("metrics have a line for every step and evaluation, with numbers that make sense")
  func metricsMakeSense() throws {
    let tool = try Experiments.folder()
    let result = try tool.run("simulate", "mlp.yaml", "--json", "--ranks", "2", "--run", "run")
    result.expectSuccess()
    let total = try #require(result.json["steps"] as? Int)
    let lines = try metrics(tool)
    let steps = lines.filter { $0["set"] == nil }
    #expect(steps.compactMap { $0["step"] as? Int } == Array(1...total))
    #expect(
      steps.allSatisfy { ($0["loss"] as? Double ?? .nan).isFinite && ($0["learning_rate"] as? Double ?? -1) >= 0 })
    let bytes = steps.compactMap { $0["bytes_sent"] as? Int }
    #expect(bytes.count == total && zip(bytes, bytes.dropFirst()).allSatisfy { $0 < $1 })
    let seconds = lines.compactMap { $0["seconds"] as? Double }
    #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $0 <= $1 })
    // Two epochs, each with a validation and a test set.
    #expect(lines.compactMap { $0["set"] as? String } == ["validation", "test", "validation", "test"])
    #expect(lines.last?["loss"] as? Double == result.json["loss"] as? Double)
    #expect(lines.last?["accuracy"] as? Double == result.json["accuracy"] as? Double)
    #expect(lines.allSatisfy { (0...1).contains($0["accuracy"] as? Double ?? -1) })
  }

  private func metrics(_ tool: CommandLineTool) throws -> [[String: Any]] {
    try tool.text("run/metrics.jsonl").split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }
}

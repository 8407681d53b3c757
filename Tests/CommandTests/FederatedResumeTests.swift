import Foundation
import Testing

@Suite("Federations that are interrupted")
struct FederatedResumeTests {
  /// The small federation, for rounds that no test waits for.
  private func endless() throws -> CommandLineTool {
    try FederatedTrial.folder(
      FederatedTrial.configuration.replacingOccurrences(of: "rounds: 4", with: "rounds: 100000000")
        .replacingOccurrences(of: "evaluate: 2", with: "evaluate: 100")
        .replacingOccurrences(of: "every: 2 rounds, keep: 100", with: "every: 20 rounds"))
  }

  private func rounds(_ tool: CommandLineTool, _ run: String) -> Int {
    let lines = (try? tool.text("\(run)/clients.jsonl")) ?? ""
    return lines.split(separator: "\n").count
  }

  /// Goes on for a hundred rounds, and comes to where a run comes that was never interrupted.
  private func expectResumable(
    _ tool: CommandLineTool, _ run: String, after round: Int, _ verb: [String] = ["simulate"]
  ) throws {
    let end = ["--set", "federated.rounds=\(round + 100)", "--json", "--quiet"]
    let resumed = try tool.run(verb + ["federation.yaml", "--run", run, "--resume"] + end)
    resumed.expectSuccess()
    #expect(resumed.json["rounds"] as? Int == round + 100)
    let whole = try tool.run(["simulate", "federation.yaml", "--run", "whole-\(run)"] + end)
    whole.expectSuccess()
    #expect(resumed.digest == whole.digest)
    #expect(try tool.federatedHistory(run) == tool.federatedHistory("whole-\(run)"))
  }

  @Test("SIGTERM and SIGINT save the state and exit 10, and --resume comes to the undisturbed result")
  func stop() throws {
    let tool = try endless()
    for signal in [SIGTERM, SIGINT] {
      let run = "run\(signal)"
      let command = try tool.start("simulate", "federation.yaml", "--run", run, "--quiet")
      #expect(command.wait { rounds(tool, run) > 3 })
      command.signal(signal)
      let stopped = command.result()
      stopped.expectFailure(10, "signal", "after round", "--resume")
      let words = stopped.errors.components(separatedBy: "after round ")
      let round = try #require(words.count == 2 ? Int(words[1].prefix { $0.isNumber }) : nil)
      #expect(tool.exists("\(run)/checkpoints/step-\(round)") && !tool.exists("\(run)/result.json"))
      try expectResumable(tool, run, after: round, ["simulate", "--ranks", "2"])
    }
  }

  @Test("a signal to launch/mpirun saves the state and exits 10")
  func stopRanks() throws {
    let tool = try endless()
    let command = try tool.startMPI(ranks: 2, "train", "federation.yaml", "--run", "run", "--quiet")
    #expect(command.wait { rounds(tool, "run") > 3 })
    command.signal(SIGTERM)
    command.result().expectFailure(10, "signal", "after round")
    try expectResumable(tool, "run", after: rounds(tool, "run"), ["simulate", "--ranks", "3"])
  }

  @Test("killed at whatever moment, it goes on from the newest checkpoint to the same bits", arguments: [1, 2])
  func killed(_ ranks: Int) throws {
    let tool = try endless()
    var made = 0
    // Not at a round that the test chooses: wherever it happens to be.
    for _ in 0..<3 {
      let command =
        ranks == 1
        ? try tool.start("train", "federation.yaml", "--run", "run", "--quiet", "--resume")
        : try tool.start(
          "simulate", "federation.yaml", "--run", "run", "--quiet", "--resume", "--ranks", "\(ranks)")
      let enough = made + 25
      #expect(command.wait { rounds(tool, "run") > enough })
      let processes = RunningProcess.below(command.identifier)
      for process in processes { kill(process.identifier, SIGKILL) }
      #expect(command.result().status == 137)
      made = rounds(tool, "run")
    }
    try expectResumable(tool, "run", after: made)
  }

  @Test("the newest checkpoint is damaged: the one before is taken, and it is said")
  func damaged() throws {
    let tool = try FederatedTrial.folder()
    let whole = try tool.run("simulate", "federation.yaml", "--json", "--run", "run")
    whole.expectSuccess()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    try tool.write(
      tool.data("run/checkpoints/step-4/model.safetensors").dropLast(9), to: "run/checkpoints/step-4/model.safetensors")
    let resumed = try tool.run("simulate", "federation.yaml", "--json", "--run", "run", "--resume", "--ranks", "2")
    resumed.expectSuccess()
    #expect(resumed.digest == whole.digest && resumed.errors.contains("step-4"))
    #expect(tool.exists("run/checkpoints/step-4.damaged"))
    #expect(try tool.text("run/log.txt").contains("rounds 3 to 4"))
    // None is whole.
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    for step in [2, 4] { try tool.write("{}", to: "run/checkpoints/step-\(step)/manifest.json") }
    let anew = try tool.run("simulate", "federation.yaml", "--json", "--run", "run", "--resume")
    #expect(anew.digest == whole.digest && anew.errors.contains("no usable checkpoint"))
  }

  @Test("a finished run prints its result again, and starts nothing")
  func finished() throws {
    let tool = try FederatedTrial.folder()
    let first = try tool.run("simulate", "federation.yaml", "--json", "--run", "run")
    first.expectSuccess()
    let before = try tool.data("run/metrics.jsonl")
    let again = try tool.run("simulate", "federation.yaml", "--json", "--run", "run", "--resume", "--ranks", "2")
    again.expectSuccess()
    #expect(again.outputLines.last == first.outputLines.last)
    #expect(
      try tool.mpirun(ranks: 2, "train", "federation.yaml", "--json", "--run", "run", "--resume").digest == first.digest
    )
    #expect(try tool.data("run/metrics.jsonl") == before)
    let receipts = try tool.text("run/receipt.jsonl").split(separator: "\n")
    #expect(receipts.count == 1 && receipts[0].contains("\"clients\": 9") && !receipts[0].contains("shards"))
  }

  @Test(
    "`launch` brings back what was killed at a round, and what could not write its checkpoint ends with the others whole"
  )
  func faults() throws {
    let tool = try FederatedTrial.folder()
    let whole = try tool.run("simulate", "federation.yaml", "--json")
    let launched = try tool.run(
      "launch", "-n", "2", "--backoff", "0", "--", "train", "federation.yaml", "--run", "run", "--json", "--set",
      "faults=[{kill: {rank: 1, step: 4}}]")
    launched.expectSuccess()
    #expect(launched.digest == whole.digest)
    let receipts = try tool.text("run/receipt.jsonl").split(separator: "\n")
    #expect(receipts.count == 2 && receipts[1].contains("\"first_step\": 2"))
    // The disk is full at the last checkpoint.
    try tool.run(
      "simulate", "federation.yaml", "--run", "full", "--quiet", "--set", "faults=[{fill-disk: {step: 4}}]"
    ).expectFailure(9, "No space left")
    #expect(tool.exists("full/checkpoints/step-2") && !tool.exists("full/checkpoints/step-4"))
    let resumed = try tool.run("simulate", "federation.yaml", "--run", "full", "--resume", "--json")
    #expect(resumed.digest == whole.digest)
  }

  @Test("another configuration than it began with is said")
  func changed() throws {
    let tool = try FederatedTrial.folder()
    try tool.run("simulate", "federation.yaml", "--run", "run", "--quiet").expectSuccess()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    let more = try tool.run(
      "simulate", "federation.yaml", "--run", "run", "--resume", "--set", "federated.rounds=6", "--set",
      "federated.evaluate=1")
    more.expectSuccess()
    #expect(more.errors.contains("goes on with another federated.rounds than it began with"), "\(more.errors)")
  }

  @Test("a privacy budget that is used up is exit 9, keeps a checkpoint, and a larger one goes on")
  func budget() throws {
    let tool = try FederatedTrial.folder()
    func run(_ name: String, _ privacy: String, _ more: String...) throws -> CommandResult {
      try tool.run(
        [
          "simulate", "federation.yaml", "--run", name, "--json", "--quiet", "--set", "checkpoint.every=never", "--set",
          "federated.privacy={noise: 2, clip: 1, delta: 1e-3\(privacy)}",
        ] + more)
    }
    let whole = try run("whole", "")
    whole.expectSuccess()
    #expect(whole.json["epsilon"] as? Double ?? 0 > 0)
    let spent = try tool.text("whole/metrics.jsonl").split(separator: "\n").compactMap { line -> Double? in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["round"] as? Int == 2 ? object?["epsilon"] as? Double : nil
    }
    let budget = 1.0001 * (try #require(spent.first))
    try run("run", ", budget: \(budget)").expectFailure(9, "privacy budget", "2 rounds")
    #expect(tool.exists("run/checkpoints/step-2") && !tool.exists("run/result.json"))
    #expect(try tool.run("evaluate", "run", "--json").json["round"] as? Int == 2)
    try run("run", ", budget: \(budget)", "--resume", "--ranks", "2").expectFailure(9, "privacy budget")
    let resumed = try run("run", ", budget: 1e6", "--resume", "--ranks", "2")
    resumed.expectSuccess()
    #expect(resumed.digest == whole.digest && resumed.json["epsilon"] as? Double == whole.json["epsilon"] as? Double)
  }
}

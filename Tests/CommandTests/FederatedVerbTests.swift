import Federated
import Foundation
import Testing

@Suite("Verbs on what a federation has trained")
struct FederatedVerbTests {
  /// A run of four rounds with checkpoints after each second one.
  private func trained(_ changes: String...) throws -> (tool: CommandLineTool, result: CommandResult) {
    let tool = try FederatedTrial.folder()
    let result = try tool.run(
      ["simulate", "federation.yaml", "--run", "run", "--json", "--quiet"] + changes.flatMap { ["--set", $0] })
    result.expectSuccess()
    return (tool, result)
  }

  @Test(
    "`evaluate` gives the bits of the evaluation in training, on any number of threads", arguments: FederatedTrial.all)
  func evaluate(_ trial: FederatedTrial) throws {
    let tool = try FederatedTrial.folder()
    let run = try tool.run(["simulate"] + trial.words + ["--run", "run", "--json", "--quiet"])
    run.expectSuccess()
    for threads in [1, 2] {
      let found = try tool.run("evaluate", "run", "--json", "--set", "compute.threads=\(threads)")
      found.expectSuccess()
      #expect(found.json["loss"] as? Double == run.json["loss"] as? Double)
      #expect(found.json["accuracy"] as? Double == run.json["accuracy"] as? Double)
      #expect(found.digest == run.digest && found.json["round"] as? Int == 4)
    }
    let middle = try tool.run("evaluate", "run/checkpoints/step-2", "--json")
    middle.expectSuccess()
    #expect(middle.json["round"] as? Int == 2)
    let losses = try tool.text("run/metrics.jsonl").split(separator: "\n").compactMap { line -> Double? in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["set"] as? String == "test" && object?["round"] as? Int == 2 ? object?["loss"] as? Double : nil
    }
    #expect(losses == [try #require(middle.json["loss"] as? Double)])
  }

  @Test("on other data, which no client has to share; and on weights that stand alone")
  func otherData() throws {
    let (tool, run) = try trained("federated.partition={name: classes, classes-per-client: 2}")
    try GeneratedData.writeIDX(tool, to: "images", size: 8, classes: 10)
    let other = try tool.run("evaluate", "run", "--data", "{format: idx, path: images}", "--json")
    other.expectSuccess()
    #expect(other.json["samples"] as? Int != 359 && other.digest == run.digest)
    try FileManager.default.copyItem(
      atPath: tool.path("run/checkpoints/step-4/model.safetensors"), toPath: tool.path("alone.safetensors"))
    let alone = try tool.run("evaluate", "alone.safetensors", "--config", "federation.yaml", "--json")
    alone.expectSuccess()
    #expect(alone.json["loss"] as? Double == run.json["loss"] as? Double && alone.digest == run.digest)
    try tool.run("evaluate", "alone.safetensors").expectFailure(2, "--config")
    try tool.run("evaluate", "run", "--data", "tinyshakespeare").expectFailure(4, "tinyshakespeare")
  }

  @Test("`predict` writes what the model makes of inputs")
  func predict() throws {
    let (tool, _) = try trained()
    let logits = try tool.run("predict", "run", "--data", "digits", "-o", "logits.npy", "--json")
    logits.expectSuccess()
    #expect(logits.json["shape"] as? [Int] == [359, 10])
    let classes = try tool.run("predict", "run", "--data", "digits", "-o", "classes.npy", "--classes", "--json")
    #expect(classes.json["shape"] as? [Int] == [359] && classes.json["type"] as? String == "int64")
    #expect(try tool.data("classes.npy").count == 128 + 359 * 8)
  }

  @Test("`inspect` shows rounds")
  func inspect() throws {
    let (tool, run) = try trained()
    let shown = try tool.run("inspect", "run", "--json")
    shown.expectSuccess()
    let checkpoints = try #require(shown.json["checkpoints"] as? [[String: Any]])
    #expect(checkpoints.compactMap { $0["round"] as? Int } == [2, 4])
    #expect(checkpoints.last?["parameters_digest"] as? String == run.digest)
    #expect(try tool.run("inspect", "run").output.contains("checkpoint  round"))
    let checkpoint = try tool.run("inspect", "run/checkpoints/step-4")
    checkpoint.expectSuccess()
    #expect(checkpoint.output.contains("round 4, 20 updates"))
  }

  @Test("`verify` makes rounds again, from the middle and from the beginning", arguments: FederatedTrial.all)
  func verify(_ trial: FederatedTrial) throws {
    let tool = try FederatedTrial.folder()
    try tool.run(["simulate"] + trial.words + ["--run", "run", "--ranks", "2", "--quiet"]).expectSuccess()
    let before = try tool.data("run/metrics.jsonl")
    for (flags, start, step, digests) in [
      ([], 2, 4, 3), (["--step", "1", "--threads", "2"], 0, 1, 1),
    ] as [([String], Int, Int, Int)] {
      let result = try tool.run(["verify", "run", "--json", "--quiet"] + flags)
      result.expectSuccess()
      #expect(result.json["confirmed"] as? Bool == true)
      #expect(result.json["start"] as? Int == start && result.json["step"] as? Int == step, "\(result.json)")
      #expect(result.json["digests"] as? Int == digests && (result.json["notes"] as? [String])?.isEmpty == (start > 0))
    }
    #expect(try tool.data("run/metrics.jsonl") == before)
  }

  @Test("`verify` finds a digest that is another one, and says what it needs")
  func doctored() throws {
    let (tool, run) = try trained()
    let metrics = try tool.text("run/metrics.jsonl")
    let other = String(run.digest.reversed())
    try tool.write(metrics.replacingOccurrences(of: run.digest, with: other), to: "run/metrics.jsonl")
    try tool.run("verify", "run", "--quiet").expectFailure(7, "round 4 of run is not confirmed", other, run.digest)
    try tool.run("verify", "run", "--step", "5").expectFailure(2, "after round 4")
    let text = try tool.text("run/config.yaml")
    try tool.write(text.replacingOccurrences(of: "rounds: 4", with: "rounds: 3"), to: "run/config.yaml")
    try tool.run("verify", "run", "--quiet").expectFailure(3, "ends after 3 rounds", "round 4")
    try tool.write(text, to: "run/config.yaml")
    for name in ["checkpoints", "metrics.jsonl", "result.json"] {
      try FileManager.default.removeItem(atPath: tool.path("run/\(name)"))
    }
    try tool.run("verify", "run").expectFailure(9, "recorded no digest", "federated.digest")
  }

  @Test("`check` says who takes part, what travels and what is remembered", arguments: FederatedTrial.all)
  func check(_ trial: FederatedTrial) throws {
    let tool = try FederatedTrial.folder()
    let result = try tool.run(["check"] + trial.words + ["--json", "--ranks", "2"])
    result.expectSuccess()
    #expect(result.json["strategy"] as? String == trial.strategy && result.json["clients"] as? Int == 9)
    let cohort = try #require(result.json["cohort"] as? Int)
    for direction in ["up", "down"] {
      let client = try #require(result.json["bytes_\(direction)_per_client"] as? Int)
      #expect(client > 0 && result.json["bytes_\(direction)_per_round"] as? Int == cohort * client)
    }
    let state = try #require(result.json["client_state_bytes"] as? Int)
    let memory = try #require(result.json["memory_bytes"] as? [String: Int])
    #expect(result.json["all_client_states_bytes"] as? Int == 9 * state && memory["clients"] == 9 * state / 2)
    for part in ["weights", "replicas", "gradients", "activations", "batches"] { #expect(memory[part] ?? 0 > 0) }
    let page = try tool.run(["check"] + trial.words + ["--no-gradients"])
    page.expectSuccess()
    for word in ["federation \(trial.strategy): 9 clients", "samples each", "a round", "remembered", "replicas"] {
      #expect(page.output.contains(word), "no \(word)")
    }
    #expect(tool.names() == ["federation.yaml"])
  }

  @Test("memory is estimated to within a half of what a run takes beside the program itself")
  func memory() throws {
    let tool = try FederatedTrial.folder()
    let base = try tool.run("simulate", "federation.yaml", "--json", "--quiet")
    base.expectSuccess()
    for change in [["compute.threads=1"], ["compute.threads=2", "optimizer=adam"]] {
      let flags = (["model.widths=[1500, 1500]", "federated.rounds=2"] + change).flatMap { ["--set", $0] }
      let check = try tool.run(["check", "federation.yaml", "--no-gradients", "--json"] + flags)
      let run = try tool.run(["simulate", "federation.yaml", "--json", "--quiet"] + flags)
      run.expectSuccess()
      let estimate = try #require((check.json["memory_bytes"] as? [String: Int])?["all"])
      let measured = try #require(run.json["peak_memory_bytes"] as? Int) - (base.json["peak_memory_bytes"] as? Int ?? 0)
      let ratio = Double(estimate) / Double(measured)
      #expect(ratio > 0.6 && ratio < 1.6, "\(estimate >> 20) MiB estimated, \(measured >> 20) measured")
    }
  }

  @Test("people see rounds, updates and what travelled")
  func text() throws {
    let tool = try FederatedTrial.folder()
    let result = try tool.run("simulate", "federation.yaml", "--ranks", "2", "--quiet")
    result.expectSuccess()
    for word in [
      "accuracy ", "trained    4 rounds of fedavg over 9 clients", "updates    20, ", "traffic    71 KiB up", "sent  ",
    ] {
      #expect(result.output.contains(word), "no \(word) in \(result.output)")
    }
  }

  @Test("`help federated` names every strategy, and `help config` every key of the section with its default")
  func help() throws {
    let tool = try CommandLineTool()
    let page = try tool.run("help", "federated").output
    for type in FederatedCatalog.all { #expect(page.contains("\n\(type.name)\n"), "no \(type.name)") }
    let keys = try #require(try tool.run("help", "config", "--json").json["keys"] as? [[String: Any]])
    for name in ["strategy", "partition", "clients", "cohort", "rounds", "batch", "digest", "ledger"] {
      let entry = try #require(keys.first { $0["key"] as? String == "federated.\(name)" }, "no \(name)")
      #expect((entry["help"] as? String)?.isEmpty == false)
      #expect(page.contains("  \(name) "))
    }
    let own = try #require(try tool.run("help", "federated", "--json").json["keys"] as? [[String: Any]])
    #expect(own.contains { $0["key"] as? String == "federated.strategy.mu" })
  }

  @Test("the ledger adds up to what the result says, and is left out by default")
  func ledger() throws {
    let (tool, run) = try trained()
    let lines = try tool.text("run/clients.jsonl").split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(lines.compactMap { $0["round"] as? Int } == [1, 2, 3, 4])
    for (key, total) in [("bytes_up", "bytes_up"), ("bytes_down", "bytes_down"), ("steps", "steps")] {
      let sum = lines.flatMap { $0[key] as? [Int] ?? [] }.reduce(0, +)
      #expect(sum == run.json[total] as? Int, "\(key)")
    }
    for line in lines {
      let clients = try #require(line["clients"] as? [Int])
      #expect(clients.count == 5 && clients == clients.sorted())
      for key in ["status", "samples", "steps", "bytes_up", "bytes_down"] { #expect((line[key] as? [Any])?.count == 5) }
    }
    try tool.run("simulate", "federation.yaml", "--run", "plain", "--quiet", "--set", "federated.ledger=false")
      .expectSuccess()
    #expect(!tool.exists("plain/clients.jsonl"))
  }
}

import Foundation
import Testing

@Suite("`verify` confirms what a run recorded, and nothing else")
struct VerifyTests {
  /// A folder with runs of twelve steps: checkpoints after 4, 8 and 12, digests after 3, 6, 9 and 12.
  private static func folder(_ strategy: String = "allreduce", keep: Int = 100) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(
      """
      name: digits
      seed: 7
      model: {name: mlp, widths: [20], dropout: 0.2}
      data: {name: digits, subset: 400}
      training: {steps: 12, batch: 62, shards: 4, clip: 0.5, digest: 3 steps, bucket: 1024}
      optimizer: {name: adamw, learning-rate: 3e-3, schedule: cosine}
      strategy: \(strategy)
      checkpoint: {every: 4 steps, keep: \(keep)}

      """, to: "a.yaml")
    return tool
  }

  private func verify(_ tool: CommandLineTool, _ arguments: String...) throws -> CommandResult {
    try tool.run(["verify", "run", "--json", "--quiet"] + arguments)
  }

  private func expectConfirmed(
    _ result: CommandResult, start: Int, step: Int, digests: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    result.expectSuccess(sourceLocation: sourceLocation)
    let json = result.json
    #expect(json["confirmed"] as? Bool == true, sourceLocation: sourceLocation)
    #expect(json["start"] as? Int == start && json["step"] as? Int == step, "\(json)", sourceLocation: sourceLocation)
    #expect(json["digests"] as? Int == digests, "\(json)", sourceLocation: sourceLocation)
    #expect(json["expected"] as? String == json["parameters_digest"] as? String, sourceLocation: sourceLocation)
  }

  /// Every file of a run with its bytes, and when it was last changed.
  private func snapshot(_ tool: CommandLineTool) throws -> [String: String] {
    var found: [String: String] = [:]
    for name in tool.names(below: "run") {
      let attributes = try FileManager.default.attributesOfItem(atPath: tool.path("run/\(name)"))
      let date = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      let bytes = attributes[.type] as? FileAttributeType == .typeRegular ? try tool.data("run/\(name)") : Data()
      found[name] = "\(date) \(bytes.base64EncodedString())"
    }
    return found
  }

  @Test(
    "from the middle and from the beginning, in one process, whoever trained, and leaves the run as it is",
    arguments: [
      "allreduce", "zero", "{name: diloco, period: 5}", "top-k", "{name: powersgd, start: 2}",
      "{name: streaming-diloco, period: 10, fragments: 2, delay: 4, mixing: 0.5}", "push-gossip",
    ])
  func strategies(_ strategy: String) throws {
    let tool = try Self.folder(strategy)
    let isReplica = strategy.contains("diloco") || strategy.contains("gossip")
    let set = isReplica || strategy == "allreduce" || strategy == "zero" ? [] : ["--set", "optimizer=sgd"]
    try tool.run(["simulate", "a.yaml", "--run", "run", "--ranks", "3", "--quiet"] + set).expectSuccess()
    let before = try snapshot(tool)
    // Checkpoints count where metrics have no digest.
    try expectConfirmed(verify(tool), start: 8, step: 12, digests: 3)
    try expectConfirmed(verify(tool, "--step", "5"), start: 4, step: 6, digests: 2)
    try expectConfirmed(verify(tool, "--step", "1", "--threads", "2"), start: 0, step: 3, digests: 1)
    #expect(try snapshot(tool) == before)
  }

  @Test(
    "runs under mpirun, and shards that are ranks and threads", arguments: ["allreduce", "{name: diloco, period: 5}"])
  func ranks(_ strategy: String) throws {
    let tool = try Self.folder(strategy)
    let text = try tool.text("a.yaml").replacingOccurrences(of: " shards: 4,", with: "")
    try tool.write(text, to: "a.yaml")
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "run", "--quiet", "--set", "compute.threads=2")
      .expectSuccess()
    try expectConfirmed(verify(tool), start: 8, step: 12, digests: 3)
    try expectConfirmed(verify(tool, "--step", "2", "--threads", "1"), start: 0, step: 3, digests: 1)
  }

  @Test("normalisation, augmentation, validation and early stopping", arguments: ["cnn", "gpt", "early"])
  func experiments(_ name: String) throws {
    let tool = try Experiments.folder()
    try tool.run(
      "simulate", "\(name).yaml", "--run", "run", "--ranks", "3", "--quiet", "--set", "checkpoint.every=5 steps"
    ).expectSuccess()
    let last = try verify(tool)
    last.expectSuccess()
    #expect(last.json["start"] as? Int ?? 0 > 0 && last.json["confirmed"] as? Bool == true)
  }

  @Test("digests are the same in every runtime")
  func runtimes() throws {
    let tool = try Self.folder()
    try tool.run("train", "a.yaml", "--run", "one", "--quiet").expectSuccess()
    try tool.run("simulate", "a.yaml", "--run", "three", "--ranks", "3", "--quiet").expectSuccess()
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "two", "--quiet").expectSuccess()
    let digests = try ["one", "two", "three"].map { run in
      try tool.text("\(run)/metrics.jsonl").split(separator: "\n").compactMap { line -> String? in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        guard let digest = object?["digest"] as? String else { return nil }
        return "\(object?["step"] as? Int ?? 0) \(digest)"
      }
    }
    #expect(digests[0].count == 4 && digests[0] == digests[1] && digests[0] == digests[2])
    #expect(digests[0].map { $0.split(separator: " ")[0] } == ["3", "6", "9", "12"])
  }

  @Test("a recorded digest that is another one is exit 7, with its step and both")
  func doctored() throws {
    let tool = try Self.folder()
    try tool.run("train", "a.yaml", "--run", "run", "--quiet").expectSuccess()
    let metrics = try tool.text("run/metrics.jsonl").split(separator: "\n").map(String.init)
    let line = try #require(metrics.first { $0.contains("\"step\": 9,") })
    let digest = String(line.components(separatedBy: "\"digest\": \"")[1].prefix(64))
    let other = String(digest.reversed())
    try tool.write(
      tool.text("run/metrics.jsonl").replacingOccurrences(of: digest, with: other), to: "run/metrics.jsonl")
    try tool.run("verify", "run", "--quiet").expectFailure(7, "step 9 of run is not confirmed", digest, other, "step-8")
    let json = try verify(tool)
    #expect(json.status == 7 && json.json["confirmed"] as? Bool == false && json.json["step"] as? Int == 9)
    #expect(json.json["expected"] as? String == other && json.json["parameters_digest"] as? String == digest)
    // A stretch without it.
    try expectConfirmed(verify(tool, "--step", "6"), start: 4, step: 6, digests: 2)
  }

  @Test("a configuration that is another one is exit 7 or 5, and said before")
  func otherConfiguration() throws {
    let tool = try Self.folder()
    try tool.run("train", "a.yaml", "--run", "run", "--quiet").expectSuccess()
    let text = try tool.text("run/config.yaml")
    try tool.write(text.replacingOccurrences(of: "0.003", with: "0.004"), to: "run/config.yaml")
    let result = try verify(tool)
    #expect(result.status == 7, "\(result.errors)")
    #expect(result.errorLines.count == 2 && result.errorLines[0].contains("another configuration than config.yaml"))
    #expect(result.errorLines[1].contains("step 9 of run is not confirmed"))
    #expect((result.json["notes"] as? [String])?.count == 1)
    // Another model.
    try tool.write(text.replacingOccurrences(of: "[20]", with: "[21]"), to: "run/config.yaml")
    try tool.run("verify", "run", "--quiet").expectFailure(5, "step-8", "`1.weight`")
    // Fewer steps than were made.
    try tool.write(text.replacingOccurrences(of: "steps: 12", with: "steps: 10"), to: "run/config.yaml")
    try tool.run("verify", "run", "--quiet").expectFailure(3, "config.yaml ends after 10 steps", "step 12")
    try tool.write(text.replacingOccurrences(of: "batch: 62", with: "bathc: 62"), to: "run/config.yaml")
    try tool.run("verify", "run", "--quiet").expectFailure(3, "run/config.yaml:", "bathc")
  }

  @Test("other data are said")
  func otherData() throws {
    let tool = try Experiments.folder()
    try tool.run("train", "cnn.yaml", "--run", "run", "--quiet").expectSuccess()
    let images = try tool.data("images/train-images-idx3-ubyte")
    var changed = images
    for index in 1000..<1100 { changed[index] ^= 1 }
    try tool.write(changed, to: "images/train-images-idx3-ubyte")
    let result = try verify(tool)
    #expect(result.status == 7 && result.errors.contains("start 1 had other data"), "\(result.errors)")
    try FileManager.default.removeItem(atPath: tool.path("images"))
    try tool.run("verify", "run", "--quiet").expectFailure(4, "images")
  }

  @Test("other instructions are said")
  func otherInstructions() throws {
    let tool = try Self.folder()
    try tool.run("train", "a.yaml", "--run", "run", "--quiet", environment: ["DNNL_MAX_CPU_ISA": "SSE41"])
      .expectSuccess()
    let result = try verify(tool)
    #expect((result.json["notes"] as? [String])?.count == 1)
    #expect(result.errors.contains("start 1 had other instructions (SSE4.1, here "), "\(result.errors)")
    let same = try tool.run("verify", "run", "--json", "--quiet", environment: ["DNNL_MAX_CPU_ISA": "SSE41"])
    expectConfirmed(same, start: 8, step: 12, digests: 3)
    #expect((same.json["notes"] as? [String])?.isEmpty == true)
  }

  @Test("damaged checkpoints are passed over for the one before, or the beginning")
  func damaged() throws {
    let tool = try Self.folder()
    try tool.run("train", "a.yaml", "--run", "run", "--quiet").expectSuccess()
    try tool.write(
      tool.data("run/checkpoints/step-8/model.safetensors").dropLast(9), to: "run/checkpoints/step-8/model.safetensors")
    let fallen = try verify(tool)
    // What the damaged one says about itself still counts.
    expectConfirmed(fallen, start: 4, step: 12, digests: 5)
    #expect(fallen.errorLines.count == 1 && fallen.errors.contains("step-8") && fallen.errors.contains("passed over"))
    for step in [4, 8] { try tool.write("{}", to: "run/checkpoints/step-\(step)/manifest.json") }
    let beginning = try verify(tool)
    expectConfirmed(beginning, start: 0, step: 12, digests: 4)
    #expect(beginning.errors.contains("from its beginning"))
  }

  @Test("with the last checkpoint only, the run is made again from its beginning")
  func lastOnly() throws {
    let tool = try Self.folder(keep: 1)
    try tool.run("simulate", "a.yaml", "--run", "run", "--ranks", "2", "--quiet", "--set", "training.digest=never")
      .expectSuccess()
    #expect(try !tool.text("run/metrics.jsonl").contains("digest"))
    let result = try tool.run("verify", "run", "--quiet")
    result.expectSuccess()
    #expect(result.errors.contains("from its beginning") && result.output.contains("manifest.json"))
    #expect(result.outputLines.contains { $0.hasPrefix("result") && $0.contains("confirmed") })
    // Nor that one: the result is left.
    try FileManager.default.removeItem(atPath: tool.path("run/checkpoints"))
    try expectConfirmed(verify(tool), start: 0, step: 12, digests: 1)
    try FileManager.default.removeItem(atPath: tool.path("run/receipt.jsonl"))
    #expect(try verify(tool).errors.contains("no receipt"))
  }

  @Test("what cannot be verified is refused with a reason")
  func refusals() throws {
    let tool = try Self.folder()
    try tool.run("verify", "none").expectFailure(3, "none: no such folder")
    try tool.write("x", to: "folder/notes.txt")
    try tool.run("verify", "folder").expectFailure(3, "folder holds no run")
    try tool.run("train", "a.yaml", "--run", "run", "--quiet").expectSuccess()
    try tool.run("verify", "run", "--step", "13").expectFailure(2, "--step is 13", "step 12")
    let ranks = try tool.mpirun(ranks: 2, "verify", "run")
    #expect(ranks.status == 2 && ranks.errors.contains("verify is one process"))
    for name in ["checkpoints", "metrics.jsonl", "result.json"] {
      try FileManager.default.removeItem(atPath: tool.path("run/\(name)"))
    }
    try tool.run("verify", "run").expectFailure(9, "recorded no digest", "training.digest")
  }

  @Test("while the run goes on, whose checkpoints come and go")
  func running() throws {
    let tool = try Self.folder(keep: 2)
    let command = try tool.start(
      "train", "a.yaml", "--run", "run", "--quiet", "--set", "training.steps=100000000", "--set",
      "training.digest=20 steps",
      "--set", "checkpoint.every=60 steps", "--set", "training.evaluate=100000 steps")
    #expect(command.wait { tool.exists("run/checkpoints/step-120") || tool.exists("run/checkpoints/step-180") })
    for _ in 0..<3 {
      let result = try verify(tool)
      result.expectSuccess()
      #expect(result.json["confirmed"] as? Bool == true)
    }
    #expect(command.isRunning)
    command.signal(SIGTERM)
    #expect(command.result().status == 10)
    try verify(tool).expectSuccess()
  }
}

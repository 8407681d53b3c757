import Foundation
import Testing

/// A training that `nndist launch` supervises, in a folder of its own, and what its run directory shows from outside.
struct LaunchedRun {
  let tool: CommandLineTool

  /// Some seconds of training with a checkpoint every 50 steps.
  static let configuration = """
    name: supervised
    seed: 3
    model: {name: mlp, widths: [16], dropout: 0.1}
    data: {name: digits, subset: 512}
    training: {steps: 3000, batch: 32, shards: 4}
    optimizer: {name: sgd, learning-rate: 0.05, momentum: 0.9}
    checkpoint: {every: 50 steps, keep: 2}

    """

  /// Flags that make it one that no test waits for.
  static let endless = ["--set", "training.steps=10000000", "--set", "checkpoint.every=500 steps"]

  init(_ configuration: String = configuration) throws {
    tool = try CommandLineTool()
    try tool.write(configuration, to: "a.yaml")
  }

  /// Starts `nndist launch FLAGS -- train a.yaml --run run --quiet MORE`.
  func start(
    _ flags: [String], _ more: [String] = [], environment: [String: String?] = [:], timeout: Int = 180
  ) throws -> RunningCommand {
    let words = ["launch"] + flags + ["--", "train", "a.yaml", "--run", "run", "--quiet"] + more
    return try tool.start(
      program: [CommandLineTool.executable().path] + words, environment: environment, timeout: timeout)
  }

  /// The digest of a training that nobody disturbs.
  func undisturbed(_ more: String...) throws -> String {
    let result = try tool.run(["train", "a.yaml", "--run", "undisturbed", "--quiet", "--json"] + more)
    result.expectSuccess()
    return result.digest
  }

  /// The step of the last whole line of the metrics; 0 where there is none.
  var step: Int {
    let text = (try? tool.text("run/metrics.jsonl")) ?? ""
    let line = text.prefix(upTo: text.lastIndex(of: "\n") ?? text.startIndex).split(separator: "\n").last ?? ""
    return Int(line.dropFirst("{\"step\": ".count).prefix { $0.isNumber }) ?? 0
  }

  /// Steps of checkpoints that are there.
  var checkpoints: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: tool.path("run/checkpoints"))) ?? []
    return names.filter { !$0.contains(".") }.compactMap { Int($0.dropFirst("step-".count)) }.sorted()
  }

  /// Whether a checkpoint is being written.
  var isSaving: Bool {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: tool.path("run/checkpoints"))) ?? []
    return names.contains { $0.hasSuffix(".partial") }
  }

  /// The lines of `launch.jsonl`.
  var attempts: [[String: Any]] {
    ((try? tool.text("run/launch.jsonl")) ?? "").split(separator: "\n").compactMap {
      try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
    }
  }
}

extension CommandResult {
  /// What `nndist launch` said.
  var launchLines: [String] { errorLines.filter { $0.hasPrefix("nndist launch: ") } }
}

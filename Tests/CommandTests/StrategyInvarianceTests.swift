import Foundation
import Strategies
import Testing

@Suite("Every exchange of gradients gives the same bits, whoever computes them")
struct StrategyInvarianceTests {
  /// A strategy as a configuration names it, and what else that takes.
  struct Variant: Sendable, CustomTestStringConvertible {
    let strategy: String
    var optimizer = "{name: sgd, learning-rate: 0.05, momentum: 0.9, weight-decay: 1e-3}"
    var clip = "clip: 0.5, "
    var testDescription: String { strategy }
  }

  /// All that exchange gradients, with their defaults unless the table says otherwise.
  static let variants = StrategyCatalog.all.filter { $0 is any GradientStrategy.Type }.flatMap { type in
    table[type.name] ?? [Variant(strategy: type.name, clip: type.allowsClipping ? "clip: 0.5, " : "")]
  }

  static let table = [
    "zero": [
      Variant(strategy: "{name: zero, stage: 1}"),
      Variant(strategy: "{name: zero, stage: 2}", optimizer: "{name: lars, learning-rate: 0.5}"),
    ],
    // Phases that change within six steps.
    "dgc": [Variant(strategy: "{name: dgc, warmup: 5 steps}")],
    "powersgd": [Variant(strategy: "{name: powersgd, start: 2}")],
    "hierarchical": [Variant(strategy: "{name: hierarchical, group: 2}")],
    "onebit-adam": [
      // The phases change in the middle, before and after the checkpoint.
      Variant(strategy: "{name: onebit-adam, freeze-step: 2}", optimizer: "{name: adam, epsilon: 1e-3}", clip: ""),
      Variant(strategy: "{name: onebit-adam, freeze-step: 4}", optimizer: "{name: adam, epsilon: 1e-3}", clip: ""),
    ],
  ]

  /// Six steps with dropout, accumulation, clipping and a last batch of two samples for four shards.
  private static func experiment(_ variant: Variant) -> String {
    """
    name: a
    seed: 11
    model: {name: mlp, widths: [33, 17], dropout: 0.3}
    data: {name: digits, subset: 312}
    training: {epochs: 2, batch: 62, shards: 4, accumulate: 2, \(variant.clip)bucket: 1024}
    optimizer: \(variant.optimizer)
    strategy: \(variant.strategy)
    checkpoint: {every: 3 steps}

    """
  }

  private static func folder(_ variant: Variant) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(experiment(variant), to: "a.yaml")
    return tool
  }

  @Test("alone, on threads, on simulated ranks, under mpirun, and resumed on other ranks", arguments: variants)
  func digest(_ variant: Variant) throws {
    let tool = try Self.folder(variant)
    let alone = try tool.run("train", "a.yaml", "--json", "--run", "run1")
    alone.expectSuccess()
    #expect(alone.digest.count == 64 && alone.json["steps"] as? Int == 6)
    func expectSame(_ other: CommandResult) {
      other.expectSuccess()
      #expect(other.digest == alone.digest, "\(other.command)")
    }
    try expectSame(tool.run("train", "a.yaml", "--json", "--set", "compute.threads=2"))
    for ranks in 1...4 {
      try expectSame(
        tool.run([
          "simulate", "a.yaml", "--json", "--ranks", "\(ranks)", "--run", ranks == 3 ? "run3" : "runs/\(ranks)",
        ]))
    }
    for ranks in 2...3 {
      let real = try tool.mpirun(ranks: ranks, "train", "a.yaml", "--json")
      expectSame(real)
      #expect((real.json["bytes_sent"] as? [Int])?.allSatisfy { $0 > 0 } == true)
    }
    for (run, ranks) in [("run1", 3), ("run3", 2)] {
      for name in ["checkpoints/step-6", "checkpoints/last", "checkpoints/best", "result.json"] {
        try? FileManager.default.removeItem(atPath: tool.path("\(run)/\(name)"))
      }
      #expect(tool.exists("\(run)/checkpoints/step-3"))
      let resumed = try tool.run(
        "simulate", "a.yaml", "--json", "--run", run, "--resume", "--ranks", "\(ranks)")
      expectSame(resumed)
      let lines = try tool.text("\(run)/metrics.jsonl").split(separator: "\n").filter { !$0.contains("\"set\"") }
      #expect(lines.count == 6)
    }
  }

  @Test(
    "and those that change only where state lies and how bytes travel give the bits of all-reduce",
    arguments: [
      "{name: sgd, learning-rate: 0.05, momentum: 0.9}", "{name: adamw, learning-rate: 3e-3}",
      "{name: lars, learning-rate: 0.5}",
    ])
  func exact(_ optimizer: String) throws {
    let digests = try [
      "allreduce", "{name: zero, stage: 1}", "{name: zero, stage: 2}", "{name: hierarchical, group: 2}",
    ].map { strategy in
      let tool = try Self.folder(Variant(strategy: strategy, optimizer: optimizer))
      let result = try tool.run("simulate", "a.yaml", "--json", "--ranks", "3")
      result.expectSuccess()
      return result.digest
    }
    #expect(Set(digests).count == 1 && digests[0].count == 64)
  }

  @Test("what has no gradient to clip says so")
  func clipping() throws {
    let tool = try Self.folder(Variant(strategy: "onebit-adam", optimizer: "adam"))
    try tool.run("train", "a.yaml").expectFailure(3, "a.yaml:5", "onebit-adam", "training.clip")
    let other = try Self.folder(Variant(strategy: "onebit-adam", clip: ""))
    try other.run("train", "a.yaml").expectFailure(3, "a.yaml:6", "onebit-adam", "sgd", "optimizer.name: adam")
  }
}

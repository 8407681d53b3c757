import Foundation
import Testing

@Suite("Strategies that give the bits of others, and what goes with which")
struct StrategyInvarianceTests {
  /// A strategy as a configuration names it, and what else that takes.
  struct Variant {
    let strategy: String
    var optimizer = "{name: sgd, learning-rate: 0.05, momentum: 0.9, weight-decay: 1e-3}"
    var clip = "clip: 0.5, "
  }

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

    """
  }

  private static func folder(_ variant: Variant) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(experiment(variant), to: "a.yaml")
    return tool
  }

  @Test(
    "those that change only where state lies and how bytes travel give the bits of all-reduce",
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

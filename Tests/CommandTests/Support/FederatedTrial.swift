import Federated
import Foundation
import Testing

/// A small federation of one strategy, whose result must not depend on how it is run.
struct FederatedTrial: Sendable, CustomTestStringConvertible {
  /// The strategy, by its name.
  let strategy: String

  /// One of every strategy there is.
  static let all = FederatedCatalog.all.map { FederatedTrial(strategy: $0.name) }

  var testDescription: String { strategy }

  /// Nine clients of different sizes, some of them perhaps without a sample, five a round, four rounds, a checkpoint in the
  /// middle; dropout, two passes, a last batch that is not full.
  static let configuration = """
    name: federation
    seed: 9
    model: {name: mlp, widths: [12], dropout: 0.2}
    data: {name: digits, subset: 300}
    federated:
      clients: 9
      cohort: 5
      rounds: 4
      epochs: 2
      batch: 8
      partition: {name: dirichlet, alpha: 0.5, minimum: 0}
      evaluate: 2
      evaluation: {samples: own-labels, every: 2}
      digest: 1 round
      ledger: true
    optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.9}
    checkpoint: {every: 2 rounds, keep: 100}
    compute: {threads: 1}

    """

  /// What a strategy needs beside that, where it needs anything.
  private static let changes: [String: [String]] = [
    "fedsgd": ["federated.epochs=1"], "signsgd": ["federated.epochs=1"],
    "hidenseek": ["model.bias=false", "model.dropout=0", "optimizer={name: sgd, learning-rate: 0.3}"],
    "fedmask": ["model.bias=false", "model.dropout=0", "optimizer={name: adam, learning-rate: 0.1}"],
    "lotteryfl": ["model.bias=false", "model.dropout=0", "federated.strategy.density=0.3"],
    "fedbn": ["model={layers: [flatten, {linear: 12}, batch-norm, relu, {linear: 10}]}"],
    "prototypes": ["model={name: prototype-encoder, channels: 8, blocks: 2}", "federated.epochs=1"],
    "krum": robust, "multi-krum": robust, "bulyan": robust, "trimmed-mean": ["federated.cohort=9"],
  ]

  /// Rules that count on an attacker, with as many clients as they need.
  private static let robust = ["federated.strategy.attackers=1", "federated.cohort=9"]

  /// The round of the checkpoint in the middle.
  static let middle = 2

  /// Arguments behind the verb; the configuration is `federation.yaml`.
  var words: [String] {
    let changes = FederatedTrial.changes[strategy] ?? []
    return ["federation.yaml"] + (["federated.strategy=\(strategy)"] + changes).flatMap { ["--set", $0] }
  }

  /// A folder with the configuration.
  static func folder(_ text: String = configuration) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(text, to: "federation.yaml")
    return tool
  }
}

extension CommandLineTool {
  /// What metrics say of every round and evaluation, without times, and what the ledger says of every client.
  func federatedHistory(_ run: String) throws -> [String] {
    let keys = [
      "round", "set", "loss", "accuracy", "clients", "updates", "rejected", "bytes_up", "bytes_down", "digest",
    ]
    let metrics = try text("\(run)/metrics.jsonl").split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      return keys.map { object[$0].map { "\($0)" } ?? "" }.joined(separator: " ")
    }
    return metrics + (try text("\(run)/clients.jsonl").split(separator: "\n").map(String.init))
  }
}

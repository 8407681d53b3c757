import Configuration
import Datasets

/// The section `evaluation:` of a federation: whether clients are judged one by one, on what, and when.
public struct ClientEvaluationOptions: Sendable {
  /// On what a client is judged.
  public enum Samples: Sendable, Hashable {
    /// All test samples of the classes that it holds.
    case ownLabels
    /// A share of its own samples, which nobody trains on.
    case heldOut(share: Double)
  }

  /// On what clients are judged; nil where they are not.
  public let samples: Samples?
  /// Rounds between judgements; nil for one at the end.
  public let every: Int?
  /// Clients that are judged; nil for all, at most ``most``.
  public let clients: Int?

  /// Clients that are judged unless the configuration says how many.
  public static let most = 1000

  /// Reads the section.
  public init(_ options: inout Options) throws(ConfigurationError) {
    samples = try options.named(
      "samples", of: ["none", "own-labels", "holdout"], default: "none",
      "on what each client is judged: nothing, all test samples of the classes it holds, or a share of its own samples"
    ) { (name, options) throws(ConfigurationError) -> Samples? in
      switch name {
      case "own-labels": .ownLabels
      case "holdout":
        .heldOut(
          share: try options.number(
            "share", default: 0.2, in: .open01, "share of a client's samples that is kept from training"))
      default: nil
      }
    }
    every = try options.optionalInteger(
      "every", in: 1...1_000_000_000, unit: "rounds", "rounds between judgements of clients; without it one at the end")
    clients = try options.optionalInteger(
      "clients", in: 1...1_000_000_000, unit: "clients",
      "clients that are judged, drawn by key; without it all, at most \(ClientEvaluationOptions.most)")
  }

  /// Clients that are judged among so many.
  func clients(of all: Int) throws(ConfigurationError) -> Int {
    guard let clients else { return min(all, ClientEvaluationOptions.most) }
    guard clients <= all else {
      throw ConfigurationError(
        "federated.evaluation.clients is \(clients), more than the \(all) clients; lower it to at most \(all)")
    }
    return clients
  }

  /// Who trains on which samples, and on which they are judged.
  public func prepare(
    _ partition: Partition, _ dataset: Dataset, seed: UInt64
  ) throws(ConfigurationError) -> (partition: Partition, test: ClientTest?) {
    guard let samples else { return (partition, nil) }
    let chosen = ClientTest.choose(try clients(of: partition.clients), of: partition.clients, seed: seed)
    switch samples {
    case .ownLabels:
      guard dataset.training.count == 0 || dataset.training.label(0) != nil else {
        throw ConfigurationError(
          "federated.evaluation.samples is own-labels, but a sample of \(dataset.name) has no single class; use "
            + "{name: holdout}")
      }
      return (
        partition, try ClientTest(clients: chosen, partition, ownLabelsIn: dataset.test, training: dataset.training)
      )
    case .heldOut(let share):
      guard !partition.isDrawn else {
        throw ConfigurationError(
          "federated.evaluation.samples is holdout, but clients of partition resample share their samples; use "
            + "own-labels or another partition")
      }
      let (kept, heldOut) = partition.holdingOut(share, seed: seed)
      return (kept, try ClientTest(clients: chosen, kept, heldOut: heldOut, of: dataset.training.unaugmented))
    }
  }
}

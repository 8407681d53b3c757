import Communication
import Configuration
import Federated
import Tensors
import Training

/// Rounds of a federation over the built-in digits, 64 pixels of 10 classes, in this process.
struct MaskTrial: Sendable {
  /// The value of `federated.strategy`.
  var strategy: String
  /// More keys of `federated:`.
  var federated = "clients: 12, cohort: 5, batch: 20, partition: {name: shards, shards-per-client: 2}"
  var model = "{name: mlp, widths: [16], bias: false}"
  var optimizer = "{name: sgd, learning-rate: 4}"
  var training = "{}"
  var rounds = 3
  /// Rounds that are passed over at the start.
  var first = 0
  var threads = 1
  var ranks = 1

  /// What the rounds came to.
  struct Outcome: Sendable {
    /// The server's parameters in the beginning and after each round.
    var models: [[Float]] = []
    /// What lies beside them, by name, in the beginning and after each round.
    var memories: [[String: [Float]]] = []
    var records: [RoundRecord] = []
    var notes: [String] = []

    var bits: [UInt32] { models.last?.map(\.bitPattern) ?? [] }
    /// A block in the end.
    func block(_ name: String) -> [Float] { memories.last?["broadcast/\(name)"] ?? [] }
  }

  struct Disagreement: Error {}

  /// Reads the configuration and its data.
  func prepared() throws -> PreparedFederation {
    let text = """
      name: trial
      model: \(model)
      data: digits
      federated: {strategy: \(strategy), rounds: \(rounds), \(federated)}
      optimizer: \(optimizer)
      training: \(training)
      """
    return try PreparedFederation(try FederatedExperiment(try Node.parse(text, file: "trial.yaml")))
  }

  /// Runs on every rank; rank 0's outcome, which the others must have too.
  func callAsFunction() throws -> Outcome {
    let prepared = try prepared()
    let outcomes = try InProcessCommunicator.run(ranks: ranks) { (communicator) throws in
      try rank(prepared, communicator)
    }.map { try $0.get() }
    for other in outcomes where other.bits != outcomes[0].bits || other.records != outcomes[0].records {
      throw Disagreement()
    }
    return outcomes[0]
  }

  private func rank(_ prepared: PreparedFederation, _ communicator: any Communicator) throws -> Outcome {
    let store = ParameterStore(prepared.task.layout)
    prepared.task.layout.initialise(store, seed: prepared.task.seed)
    let engine = try FederatedEngine(
      prepared.task, prepared.experiment.federated.strategy, prepared.setting, model: store, threads: threads,
      communicator)
    var outcome = Outcome()
    try engine.prepare { outcome.notes.append($0) }
    func look() {
      outcome.models.append(Array(engine.broadcast.model.parameters.scalars))
      outcome.memories.append(
        Dictionary(uniqueKeysWithValues: engine.memory.map { ($0.name, Array($0.storage.scalars)) }))
    }
    look()
    for round in first..<rounds {
      outcome.records.append(try engine.round(round))
      look()
    }
    return outcome
  }
}

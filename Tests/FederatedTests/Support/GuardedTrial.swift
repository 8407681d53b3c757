import Communication
import Configuration
import Datasets
import Federated
import Tensors
import Training

/// Rounds of logistic regression on digits, in this process: clients that draw 20 samples each.
struct GuardedTrial: Sendable {
  /// The keys of `federated:` beside clients and rounds.
  var federated: String
  var clients = 12
  var rounds = 3
  var partition = "{name: resample, samples: 20}"
  var model = "{name: mlp, widths: []}"
  var threads = 1
  var ranks = 1
  /// Whether clients are judged by their own models after each round, where the keys ask for it.
  var judges = false
  /// Rounds before the first, and the weights that it starts from.
  var firstRound = 0
  var weights: [Float]?

  init(_ federated: String) { self.federated = federated }

  /// What the rounds came to.
  struct Outcome: Sendable {
    /// Parameters before the first round and after each.
    var models: [[Float]] = []
    var records: [RoundRecord] = []
    /// What the engine remembers in the end, by name.
    var memory: [String: [Float]] = [:]
    /// What the clients of rank 0 remember.
    var states: [Int: [Float]] = [:]
    /// What the plan says of bytes.
    var bytes = (up: 0, down: (follower: 0, other: 0))
    var accuracy = 0.0
    /// What ended the rounds before their time.
    var error: FederatedError?

    var bits: [UInt32] { models[models.count - 1].map(\.bitPattern) }
    /// What the first round changed.
    var firstChange: [Float] { zip(models[1], models[0]).map { $0 - $1 } }
  }

  struct Disagreement: Error {}

  /// Runs on every rank; the outcome of rank 0, which must be that of all.
  func callAsFunction() throws -> Outcome {
    let outcomes = InProcessCommunicator.run(ranks: ranks) { communicator in try rank(communicator) }
    let first = try outcomes[0].get()
    for outcome in outcomes where try outcome.get().models != first.models { throw Disagreement() }
    return first
  }

  /// The kind and the line of the error that making everything throws; nil where it is made.
  func refusal() throws -> FederatedError? {
    do {
      _ = try engine(InProcessCommunicator.alone())
      return nil
    } catch let error as FederatedError { return error }
  }

  private func prepared() throws -> PreparedFederation {
    let text = """
      model: \(model)
      data: digits
      federated: {clients: \(clients), partition: \(partition), rounds: \(max(1, rounds)), \(federated)}
      optimizer: {name: sgd, learning-rate: 0.1}
      """
    return try PreparedFederation(try FederatedExperiment(try Node.parse(text, file: "trial.yaml")))
  }

  private func engine(_ communicator: any Communicator) throws -> (FederatedEngine, PreparedFederation) {
    let prepared = try prepared()
    let store = ParameterStore(prepared.task.layout)
    prepared.task.layout.initialise(store, seed: prepared.task.seed)
    if let weights { for (index, weight) in weights.enumerated() { store.parameters.base[index] = weight } }
    let engine = try FederatedEngine(
      prepared.task, prepared.experiment.federated.strategy, prepared.setting, model: store, threads: threads,
      communicator)
    return (engine, prepared)
  }

  private func rank(_ communicator: any Communicator) throws -> Outcome {
    let (engine, prepared) = try engine(communicator)
    try engine.prepare { _ in }
    var outcome = Outcome()
    outcome.models.append(Array(engine.broadcast.model.parameters.scalars))
    outcome.bytes = (engine.plan.uploadBytes, engine.plan.downloadBytes)
    do {
      for round in firstRound..<firstRound + rounds {
        outcome.records.append(try engine.round(round))
        outcome.models.append(Array(engine.broadcast.model.parameters.scalars))
        if judges, let test = prepared.clientTest { _ = try engine.evaluate(test, chunk: 64, round: round) }
      }
    } catch let error as FederatedError { outcome.error = error }
    outcome.accuracy = try engine.evaluate(prepared.dataset.test, chunk: 100).accuracy
    for block in engine.memory { outcome.memory[block.name] = Array(block.storage.scalars) }
    guard let states = engine.states else { return outcome }
    for client in states.clients {
      var state = [Float](repeating: 0, count: states.floats)
      _ = try state.withUnsafeMutableBufferPointer { (state) throws in
        try states.read(client, into: state.baseAddress!)
      }
      outcome.states[client] = state
    }
    return outcome
  }
}

/// The Euclidean norm.
func norm(_ vector: [Float]) -> Double { vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

/// The largest difference of two vectors.
func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }

import Communication
import Configuration
import Datasets
import Federated
import Layers
import Learning
import Optimizers
import Tensors

/// A federation over the built-in digits, run by ranks as threads.
struct SmallFederation: Sendable {
  let task: FederatedTask
  let options: FederatedOptions
  let test: ClientTest?
  let dataset: Dataset

  /// Reads `federated:` from the text of a map.
  init(
    _ federated: String, model: String = "[flatten, {linear: 16}, relu, {linear: 10}]",
    optimizer: String = "{name: sgd, learning-rate: 0.1}", data: String = "digits", clip: Double? = nil
  ) throws {
    let text = "{federated: \(federated), model: {layers: \(model)}, optimizer: \(optimizer), data: \(data)}"
    var all = Options(try Node.parse(text, file: "test.yaml"))
    dataset = try DataOptions(&all).load(seed: 1)
    let optimizer = try OptimizerConfiguration(options: &all)
    options = try all.section("federated", "") { (options) throws(ConfigurationError) in
      try FederatedOptions(&options, clip: clip)
    }
    let built = try ModelConfiguration(&all).build(input: Signal(dataset.training.inputShape), classes: 10)
    let partition: Partition
    (partition, test) = try options.evaluation.prepare(
      try options.partition.partition(dataset.training, seed: 1), dataset, seed: 1)
    task = FederatedTask(
      learning: try LearningConfiguration(&all).rule.prepare(built.model, Objective(.crossEntropy, target: [])),
      compute: Compute(), optimizer: optimizer, seed: 1, training: dataset.training, partition: partition,
      local: options.local, rounds: options.rounds, cohort: try options.cohort(of: partition.clients))
  }

  /// What a run came to.
  struct Outcome: Sendable {
    /// Bits of the server's parameters, states and results.
    var bits: [UInt32] = []
    /// The server's parameters and states.
    var model: [Float] = []
    /// The server's results.
    var results: [[Float]] = []
    var records: [RoundRecord] = []
    /// After each judged round: the server's model, then the clients' own.
    var judgements: [[ClientEvaluation]] = []
    /// What the clients of this rank remember.
    var states: [Int: [Float]] = [:]
    /// The server's model on the test set.
    var accuracy = 0.0
  }

  /// The initial parameters, then states.
  var initial: [Float] {
    let store = store()
    return withExtendedLifetime(store) { Array(store.parameters.scalars) + Array(store.states.scalars) }
  }

  /// Initial weights.
  func store() -> ParameterStore {
    let store = ParameterStore(task.layout)
    task.layout.initialise(store, seed: task.seed)
    return store
  }

  /// Runs all rounds, and judges clients after those that `judged` says; rank 0's outcome, with the states of all ranks.
  func run(ranks: Int = 1, threads: Int = 1, judged: @escaping @Sendable (Int) -> Bool = { _ in false }) throws
    -> Outcome
  {
    let outcomes = try InProcessCommunicator.run(ranks: ranks) { (communicator) throws in
      let engine = try FederatedEngine(
        task, options.strategy, try options.setting(clients: task.partition.clients), model: store(), threads: threads,
        communicator)
      var outcome = Outcome()
      try engine.prepare { _ in }
      for round in 0..<task.rounds {
        outcome.records.append(try engine.round(round))
        if let test, judged(round) {
          let result = try engine.evaluate(test, chunk: 64, round: round)
          outcome.judgements.append([result.model, result.personal])
        }
      }
      outcome.accuracy = try engine.evaluate(dataset.test, chunk: 64).accuracy
      outcome.model = Array(engine.broadcast.model.parameters.scalars) + Array(engine.broadcast.model.states.scalars)
      outcome.results = engine.server.results.map { Array($0.scalars) }
      outcome.bits = (outcome.model + outcome.results.joined()).map(\.bitPattern)
      if let states = engine.states {
        for client in states.clients {
          var state = [Float](repeating: 0, count: states.floats)
          _ = try state.withUnsafeMutableBufferPointer { (state) throws in
            try states.read(client, into: state.baseAddress!)
          }
          outcome.states[client] = state
        }
      }
      return outcome
    }.map { try $0.get() }
    var outcome = outcomes[0]
    for other in outcomes.dropFirst() {
      precondition(other.bits == outcome.bits && other.judgements == outcome.judgements, "ranks have different results")
      outcome.states.merge(other.states) { own, _ in own }
    }
    return outcome
  }
}

import Communication
import Configuration
import Datasets
import Federated
import Tensors
import Training

/// Rounds of a federation in this process.
struct AveragingTrial: Sendable {
  /// The value of `federated.strategy`.
  var strategy: String
  /// More keys of `federated:`.
  var federated = "\(natural), batch: all, epochs: 3"
  var rounds = 2
  var optimizer = "{name: sgd, learning-rate: 0.1}"
  var model = "{name: mlp, widths: []}"
  var training = "{label-smoothing: 0}"
  var threads = 1
  var ranks = 1
  /// Nil for the digits that are part of the program.
  var data: Dataset? = LinearRegression.dataset

  /// The groups of the data as clients.
  static let natural = "partition: {name: natural, minimum: 1}"

  /// What the rounds came to.
  struct Outcome: Sendable {
    /// The model before the first round, and after each: parameters, then states.
    var models: [[Float]]
    var records: [RoundRecord]
    /// What the server remembers in the end, by name.
    var memory: [String: [Float]]

    var bits: [UInt32] { models.last?.map(\.bitPattern) ?? [] }
  }

  /// Runs on every rank; the outcome of rank 0, after comparing.
  func callAsFunction() throws -> Outcome {
    let outcomes = InProcessCommunicator.run(ranks: ranks) { communicator in try rank(communicator) }
    let first = try outcomes[0].get()
    for outcome in outcomes where try outcome.get().bits != first.bits { throw Disagreement() }
    return first
  }

  /// Makes everything and runs nothing.
  func check() throws { _ = try engine(InProcessCommunicator.alone()) }

  struct Disagreement: Error {}

  private func engine(_ communicator: any Communicator) throws -> FederatedEngine {
    let text = """
      name: trial
      model: \(model)
      data: digits
      federated: {strategy: \(strategy), rounds: \(rounds), \(federated)}
      optimizer: \(optimizer)
      training: \(training)
      """
    let experiment = try FederatedExperiment(try Node.parse(text, file: "trial.yaml"))
    let prepared = try PreparedFederation(experiment, dataset: data)
    let store = ParameterStore(prepared.task.layout)
    prepared.task.layout.initialise(store, seed: prepared.task.seed)
    return try FederatedEngine(
      prepared.task, experiment.federated.strategy, prepared.setting, model: store, threads: threads, communicator)
  }

  private func rank(_ communicator: any Communicator) throws -> Outcome {
    let engine = try engine(communicator)
    try engine.prepare { _ in }
    func model() -> [Float] {
      let model = engine.broadcast.model
      return Array(model.parameters.scalars) + Array(model.states.scalars)
    }
    var outcome = Outcome(models: [model()], records: [], memory: [:])
    for round in 0..<rounds {
      outcome.records.append(try engine.round(round))
      outcome.models.append(model())
    }
    for block in engine.memory { outcome.memory[block.name] = Array(block.storage.scalars) }
    return outcome
  }
}

/// Four clients of 3, 5, 8 and 4 samples with five features and one value.
enum LinearRegression {
  static let sizes = [3, 5, 8, 4]
  static let features = 5

  /// The samples of every client: features, then the value.
  static let clients: [[[Float]]] = sizes.enumerated().map { client, size in
    (0..<size).map { sample in
      var random = RandomStream(seed: 11, .test, sample: UInt64(client), layer: UInt64(sample))
      return (0...features).map { _ in random.normal() + 0.3 * Float(client) }
    }
  }

  static let dataset = dataset(clients)

  /// Every client has its first sample only, as often as it had samples: then all of its batches are alike.
  static let monotonous: [[[Float]]] = clients.map { samples in samples.map { _ in samples[0] } }

  static func dataset(_ clients: [[[Float]]]) -> Dataset {
    let source = GroupedTable(clients)
    return Dataset(name: "linear", origin: "linear", training: source, test: source)
  }
}

/// Samples in memory with who holds them.
struct GroupedTable: DataSource {
  private let table: TableSource
  let groups: SampleGroups?

  init(_ clients: [[[Float]]]) {
    let samples = clients.flatMap(\.self)
    table = TableSource(
      rows: samples.flatMap { $0.dropLast() }, shape: [samples[0].count - 1],
      targets: .values(samples.map { $0[$0.count - 1] }, width: 1))
    groups = SampleGroups(
      numbers: clients.indices.flatMap { client in clients[client].map { _ in Int32(client) } },
      names: clients.indices.map(String.init))
  }

  var count: Int { table.count }
  var inputShape: Shape { table.inputShape }
  var inputType: InputType { table.inputType }
  var targetShape: Shape { table.targetShape }
  var targetType: TargetType { table.targetType }

  func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    table.read(sample, epoch: epoch, into: input, targets: targets)
  }

  func fingerprint(_ checksum: inout Checksum) { table.fingerprint(&checksum) }
}

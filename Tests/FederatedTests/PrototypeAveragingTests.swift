import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Tensors
import Testing
import Training

/// Rounds of prototype averaging with the digits that are part of the program.
struct PrototypeTrial: Sendable {
  var strategy = "prototypes"
  var clients = "clients: 5"
  var rounds = 1
  var threads = 1
  var ranks = 1
  var model = "{name: prototype-encoder, channels: 8, blocks: 2}"
  var data = "digits"

  struct Outcome: Equatable, Sendable {
    /// Parameters and states of the encoder.
    var encoder: [Float]
    /// The server's sums and counts.
    var words: [Int64]
    var records: [RoundRecord]
    /// Loss and accuracy before the first round and after the last.
    var before, after: [Double]
  }

  func prepared() throws -> PreparedFederation {
    let text = """
      name: trial
      model: \(model)
      data: \(data)
      federated: {strategy: \(strategy), rounds: \(rounds), \(clients)}
      """
    return try PreparedFederation(try FederatedExperiment(try Node.parse(text, file: "trial.yaml")))
  }

  func engine(_ communicator: any Communicator = InProcessCommunicator.alone()) throws -> FederatedEngine {
    let prepared = try prepared()
    let store = ParameterStore(prepared.task.layout)
    prepared.task.layout.initialise(store, seed: prepared.task.seed)
    return try FederatedEngine(
      prepared.task, prepared.experiment.federated.strategy, prepared.setting, model: store, threads: threads,
      communicator)
  }

  func callAsFunction() throws -> Outcome {
    let test = try prepared().dataset.test
    let outcomes = InProcessCommunicator.run(ranks: ranks) { communicator in
      let engine = try engine(communicator)
      try engine.prepare { _ in }
      func evaluate() throws -> [Double] {
        let result = try engine.evaluate(test, chunk: 100)
        return [result.loss, result.accuracy]
      }
      let before = try evaluate()
      let records = try (0..<rounds).map { try engine.round($0) }
      let model = engine.broadcast.model
      return Outcome(
        encoder: Array(model.parameters.scalars) + Array(model.states.scalars),
        words: PrototypeTrial.words(engine.server.results[0]), records: records, before: before, after: try evaluate())
    }
    let first = try outcomes[0].get()
    for outcome in outcomes { #expect(try outcome.get() == first) }
    return first
  }

  static func words(_ storage: Storage) -> [Int64] {
    UnsafeRawPointer(storage.base).withMemoryRebound(to: Int64.self, capacity: storage.count / 2) {
      Array(UnsafeBufferPointer(start: $0, count: storage.count / 2))
    }
  }
}

@Suite("Prototype averaging")
struct PrototypeAveragingTests {
  static let encoder =
    "encoder: {data: {name: digits, augment: {deform: 0.1}}, episodes: 5, ways: 5, shots: 2, queries: 2}"

  @Test("Threads and ranks leave no trace, neither in the encoder nor in the prototypes")
  func invariance() throws {
    let strategy = "{name: prototypes, \(Self.encoder), missions: {classes: 3, shots: 9}}"
    let alone = try PrototypeTrial(strategy: strategy, clients: "clients: 7, cohort: 4", rounds: 3)()
    #expect(alone.encoder.allSatisfy { $0.isFinite })
    for (threads, ranks) in [(2, 1), (1, 2), (2, 3)] {
      let trial = PrototypeTrial(
        strategy: strategy, clients: "clients: 7, cohort: 4", rounds: 3, threads: threads, ranks: ranks)
      #expect(try trial() == alone, "\(threads) threads, \(ranks) ranks")
    }
  }

  @Test(
    "Whoever brings the samples, when and in which portions: the server has the pooled samples' prototypes, to the bit",
    arguments: [
      ("prototypes", "clients: 1", 1), ("prototypes", "clients: 5", 1), ("prototypes", "clients: 13", 3),
      ("prototypes", "clients: 5, partition: {name: shards, shards-per-client: 3}", 2),
      ("{name: prototypes, missions: {classes: 3, shots: 20}}", "clients: 5", 8),
      (
        "{name: prototypes, missions: {classes: 1, shots: 15}}", "clients: 5, partition: {name: dirichlet, alpha: 0.5}",
        90
      ),
    ])
  func pooled(_ strategy: String, _ clients: String, _ rounds: Int) throws {
    let trial = PrototypeTrial(strategy: strategy, clients: clients, rounds: rounds)
    let outcome = try trial()
    let prepared = try trial.prepared()
    let task = prepared.task
    let store = ParameterStore(task.layout)
    task.layout.initialise(store, seed: task.seed)
    let embeddings = Embedder(task.model, of: task.training).embedAll(store)
    let pooled = PrototypeMemory(classes: 10, width: embeddings.width)
    for sample in (0..<task.training.count).reversed() {
      let label = try #require(task.training.label(sample))
      let isAdded = pooled.add(embeddings[sample], to: label)
      #expect(isAdded)
    }
    #expect(outcome.words == Array(pooled.words))
    #expect(outcome.records.last?.others["classes"] == 10)
    #expect(outcome.records.last?.others["prototype_samples"] == Double(task.training.count))

    // The evaluation is that of these prototypes.
    let test = prepared.dataset.test
    let queries = Embedder(task.model, of: test).embedAll(store)
    let found = Prototypes(pooled).nearest(queries[0], count: test.count)
    let right = (0..<test.count).filter { Int(found[$0]) == test.label($0) }.count
    #expect(outcome.after[1] == Double(right) / Double(test.count))
    #expect(outcome.after[1] > 0.3)
    #expect(abs(outcome.before[0] - log(10.0)) < 1e-12)
    #expect(outcome.before[1] == 0)
  }

  @Test("A client pays for its classes, and brings nothing twice")
  func bytes() throws {
    let trial = PrototypeTrial(
      strategy: "{name: prototypes, missions: {classes: 3, shots: 1000}}", clients: "clients: 2", rounds: 6)
    let outcome = try trial()
    let perClass = 4 + 8 * (2 * 2 * 8 + 1)
    // Ten classes each: 3, 3, 3, 1, and nothing more.
    #expect(outcome.records.map(\.bytesUp) == [6, 6, 6, 2, 0, 0].map { $0 * perClass })
    #expect(outcome.words == (try PrototypeTrial()().words))
  }

  @Test("Missions are disjoint and bring all, each of distinct classes while there are enough")
  func missions() {
    let missions = Missions(classes: 4, shots: 3)
    let samples = (0..<70).map { Int32($0 * 3) }
    func label(_ sample: Int32) -> Int { Int(sample) / 3 % 10 }
    var seen: [Int32] = []
    for number in 0..<8 {
      let mission = missions.samples(number, client: 3, of: samples, seed: 5, label: label)
      #expect(mission == missions.samples(number, client: 3, of: samples.reversed(), seed: 5, label: label))
      seen += mission
      let counts = Dictionary(grouping: mission, by: label).mapValues(\.count)
      if number < 2 { #expect(counts.values.sorted() == [3, 3, 3, 3]) }
    }
    #expect(seen.sorted() == samples)
    let first = missions.samples(0, client: 3, of: samples, seed: 5, label: label)
    #expect(first != missions.samples(0, client: 4, of: samples, seed: 5, label: label))
    #expect(first != missions.samples(0, client: 3, of: samples, seed: 6, label: label))
  }

  @Test(
    "What cannot be is refused in a line",
    arguments: [
      ("{name: prototypes, encoder: {data: digits, ways: 11}}", "only 10 of 10 classes have as many"),
      ("{name: prototypes, encoder: {ways: 5}}", "data is missing"),
      ("{name: prototypes, missions: {classes: 0}}", "missions.classes"),
    ])
  func refusals(_ strategy: String, _ expected: String) {
    #expect {
      let engine = try PrototypeTrial(strategy: strategy).engine()
      try engine.prepare { _ in }
    } throws: {
      "\($0)".contains(expected)
    }
  }
}

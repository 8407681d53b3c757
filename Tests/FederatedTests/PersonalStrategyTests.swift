import Configuration
import Federated
import Layers
import Tensors
import Testing

@Suite("Strategies that leave clients something of their own")
struct PersonalStrategyTests {
  static let normalised = "[flatten, {linear: 16}, batch-norm, relu, {linear: 12}, batch-norm, relu, {linear: 10}]"
  static let strategies = [
    "fedbn", "fedper", "{name: fedper, personal: 2}", "ditto", "{name: ditto, lambda: 0.1, epochs: 2}", "fedproto",
    "{name: fedproto, lambda: 5}",
  ]

  static func federation(
    _ strategy: String, clients: Int = 17, cohort: Int = 6, rounds: Int = 3, model: String = normalised,
    optimizer: String = "{name: sgd, learning-rate: 0.05, momentum: 0.5}"
  ) throws -> SmallFederation {
    try SmallFederation(
      "{strategy: \(strategy), clients: \(clients), cohort: \(cohort), rounds: \(rounds), batch: 7, epochs: 2, "
        + "partition: {name: dirichlet, alpha: 0.5}}", model: model, optimizer: optimizer)
  }

  @Test("Threads and ranks change no bit of the result or of what clients remember", arguments: strategies)
  func invariance(_ strategy: String) throws {
    let federation = try Self.federation(strategy)
    let reference = try federation.run()
    #expect(!reference.states.isEmpty)
    for (ranks, threads) in [(1, 2), (2, 1), (3, 2)] {
      let other = try federation.run(ranks: ranks, threads: threads)
      #expect(other.bits == reference.bits)
      #expect(other.states == reference.states)
      #expect(other.records == reference.records)
    }
  }

  @Test("No strategy is another under a different name")
  func differences() throws {
    let names = ["fedavg", "fedbn", "fedper", "{name: fedper, personal: 2}", "fedproto"]
    #expect(Set(try names.map { try Self.federation($0).run().bits }).count == names.count)
  }

  // MARK: Ditto

  @Test("Ditto's server is FedAvg's to the bit", arguments: ["0", "0.1", "1"])
  func dittoIsFedAvg(_ lambda: String) throws {
    let ditto = try Self.federation("{name: ditto, lambda: \(lambda)}").run(threads: 2)
    let average = try Self.federation("fedavg").run(threads: 2)
    #expect(ditto.bits == average.bits)
    #expect(ditto.records == average.records)
  }

  @Test("Without λ, Ditto's own models are those of local training")
  func dittoIsLocalTraining() throws {
    let outcome = try Self.federation("{name: ditto, lambda: 0}", clients: 1, cohort: 1).run()
    let own = try #require(outcome.states[0])
    expectClose(own, outcome.model, 1e-5)
  }

  @Test("Ditto's own model is FedProx's local one in a client's first round", arguments: ["0.1", "2"])
  func dittoIsProximal(_ lambda: String) throws {
    let ditto = try Self.federation("{name: ditto, lambda: \(lambda)}", cohort: 1, rounds: 1).run()
    let proximal = try Self.federation("{name: fedprox, mu: \(lambda)}", cohort: 1, rounds: 1).run()
    let own = try #require(ditto.states.first?.value)
    expectClose(own, proximal.model, 1e-6)
    #expect(zip(own, ditto.model).contains { abs($0 - $1) > 1e-4 })
  }

  @Test("Ditto's own models begin with what was sent, and go on from where they were")
  func dittoRemembers() throws {
    let federation = try Self.federation("{name: ditto, lambda: 1}", clients: 3, cohort: 3, rounds: 4)
    let (early, late) = (
      try Self.federation("{name: ditto, lambda: 1}", clients: 3, cohort: 3, rounds: 3).run(), try federation.run()
    )
    #expect(Set(late.states.values.map { $0.map(\.bitPattern) }).count == 3)
    #expect(late.states != early.states)
  }

  // MARK: FedBN and FedPer

  /// Which scalars of a model, parameters then states, belong to layers of the given names.
  private func isOwn(_ layers: [String], _ layout: ParameterLayout) -> [Bool] {
    func isOwn(_ name: String) -> Bool { layers.contains { name.hasPrefix($0 + ".") } }
    return layout.parameters.flatMap { Array(repeating: isOwn($0.name), count: $0.range.count) }
      + layout.states.flatMap { Array(repeating: isOwn($0.name), count: $0.range.count) }
  }

  static let keeping: [(String, [String])] = [
    ("fedbn", ["2", "5"]), ("fedper", ["7"]), ("{name: fedper, personal: 2}", ["5", "7"]),
    ("{name: fedper, personal: 4}", ["2", "4", "5", "7"]),
  ]

  @Test("What clients keep never reaches the server, and what they share is averaged", arguments: keeping)
  func whatIsShared(_ strategy: String, _ layers: [String]) throws {
    let federation = try Self.federation(strategy)
    let own = isOwn(layers, federation.task.layout)
    let before = federation.initial
    let outcome = try federation.run()
    for (place, isOwn) in own.enumerated() where isOwn { #expect(outcome.model[place] == before[place]) }
    #expect(zip(own, zip(outcome.model, before)).contains { !$0 && $1.0 != $1.1 })
    let shared = own.filter { !$0 }.count
    for record in outcome.records {
      #expect(record.bytesUp == 4 * shared * 6)
      #expect(record.bytesDown == 4 * shared * 6)
    }
    #expect(outcome.states.values.allSatisfy { $0.count == own.count - shared })
  }

  @Test("A client remembers what its training left, and shares what FedAvg would", arguments: keeping)
  func whatIsKept(_ strategy: String, _ layers: [String]) throws {
    let federation = try Self.federation(strategy, cohort: 1, rounds: 1)
    let own = isOwn(layers, federation.task.layout)
    let outcome = try federation.run()
    let average = try Self.federation("fedavg", cohort: 1, rounds: 1).run()
    let kept = try #require(outcome.states.first?.value)
    expectClose(kept, zip(own, average.model).filter { $0.0 }.map { $0.1 }, 1e-6)
    for (isOwn, pair) in zip(own, zip(outcome.model, average.model)) where !isOwn { #expect(pair.0 == pair.1) }
  }

  @Test("A client's own model is what it kept with what is shared, untrained")
  func personalModel() throws {
    let federation = try SmallFederation(
      "{strategy: fedper, clients: 1, rounds: 4, evaluation: {samples: own-labels}}")
    let outcome = try federation.run { $0 == 3 }
    // With one client, shared and own layers are those of a single training.
    let average = try SmallFederation("{clients: 1, rounds: 4, evaluation: {samples: own-labels}}").run { $0 == 3 }
    #expect(abs(outcome.judgements[0][1].accuracy - average.accuracy) < 0.01)
    #expect(abs(outcome.judgements[0][1].loss - average.judgements[0][0].loss) < 1e-3)
    #expect(outcome.judgements[0][0].accuracy < 0.6)
  }

  @Test(
    "What cannot be is refused with a way out",
    arguments: [
      ("fedbn", "[flatten, {linear: 10}]", "add `batch-norm` to the model's layers or use fedavg"),
      ("fedper", "[flatten, {linear: 10}]", "has 1 layer with parameters and one must be shared"),
      ("{name: fedper, personal: 2}", "[flatten, {linear: 8}, relu, {linear: 10}]", "lower it or add layers"),
      ("fedproto", "[flatten, {linear: 10}]", "add a layer"),
    ])
  func refusals(_ strategy: String, _ model: String, _ message: String) throws {
    let federation = try Self.federation(strategy, model: model)
    let error = #expect(throws: FederatedError.self) { _ = try federation.options.strategy.plan(federation.task) }
    #expect(error?.kind == .configuration)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test(
    "Options out of range are refused",
    arguments: [
      "{name: ditto, lambda: -1}", "{name: ditto, epochs: 0}", "{name: fedper, personal: 0}",
      "{name: fedproto, lambda: -0.1}", "{name: fedbn, lambda: 1}",
    ])
  func badOptions(_ strategy: String) {
    #expect(throws: ConfigurationError.self) { try Self.federation(strategy) }
  }
}

/// Expects every scalar to be within `tolerance`.
func expectClose(_ a: [Float], _ b: [Float], _ tolerance: Float, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(a.count == b.count, sourceLocation: sourceLocation)
  let worst = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  #expect(worst <= tolerance, sourceLocation: sourceLocation)
}

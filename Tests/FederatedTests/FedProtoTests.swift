import Datasets
import Federated
import Tensors
import Testing

@Suite("FedProto")
struct FedProtoTests {
  static let width = 16

  private func federation(
    _ strategy: String = "fedproto", cohort: Int = 12, rounds: Int = 1, rate: String = "0.05"
  ) throws -> SmallFederation {
    try SmallFederation(
      "{strategy: \(strategy), clients: 12, cohort: \(cohort), rounds: \(rounds), batch: 4, "
        + "partition: {name: dirichlet, alpha: 0.3, minimum: 5}, evaluation: {samples: own-labels}}",
      optimizer: "{name: sgd, learning-rate: \(rate), momentum: 0.5}")
  }

  /// The classes that a client holds.
  private func held(_ client: Int, _ federation: SmallFederation) -> Set<Int> {
    var samples: [Int32] = []
    federation.task.partition.samples(of: client, into: &samples)
    return Set(samples.compactMap { federation.task.training.label(Int($0)) })
  }

  /// relu(W x + b) of the initial model.
  private func embedding(_ sample: Int32, _ federation: SmallFederation, _ store: ParameterStore) -> [Double] {
    var (pixels, label) = ([Float](repeating: 0, count: 64), [Int32](repeating: 0, count: 1))
    pixels.withUnsafeMutableBytes { pixels in
      label.withUnsafeMutableBytes { label in
        federation.task.training.read(
          Int(sample), epoch: 0, into: pixels.baseAddress!, targets: label.baseAddress!)
      }
    }
    return withExtendedLifetime(store) { units(pixels, store.parameters.base) }
  }

  private func units(_ pixels: [Float], _ weights: UnsafePointer<Float>) -> [Double] {
    (0..<Self.width).map { unit in
      let bias = Double(weights[64 * Self.width + unit])
      return max(0, (0..<64).reduce(bias) { $0 + Double(weights[64 * unit + $1]) * Double(pixels[$1]) })
    }
  }

  @Test("Prototypes are plain means over the clients of a round that hold a class", arguments: [12, 2])
  func prototypes(_ cohort: Int) throws {
    // A rate that moves no weight.
    let federation = try federation(cohort: cohort, rate: "1e-30")
    let outcome = try federation.run()
    let store = federation.store()
    let clients = outcome.states.keys.sorted()
    #expect(clients.count == cohort)
    var (sums, holders) = (
      [[Double]](repeating: Array(repeating: 0, count: Self.width), count: 10), Array(repeating: 0, count: 10)
    )
    for client in clients {
      var samples: [Int32] = []
      federation.task.partition.samples(of: client, into: &samples)
      for label in held(client, federation) {
        let own = samples.filter { federation.task.training.label(Int($0)) == label }
        for sample in own {
          for (i, z) in embedding(sample, federation, store).enumerated() { sums[label][i] += z / Double(own.count) }
        }
        holders[label] += 1
      }
    }
    let table = try #require(outcome.results.first)
    for label in 0..<10 {
      let row = Array(table[label * (Self.width + 1)..<(label + 1) * (Self.width + 1)])
      #expect(row[Self.width] == (holders[label] > 0 ? 1 : 0))
      let expected = sums[label].map { Float($0 / Double(max(1, holders[label]))) }
      expectClose(Array(row.dropLast()), expected, 1e-5)
    }
    #expect(cohort == 12 || holders.contains(0))
  }

  @Test("A client uploads four bytes a coordinate for each class it holds, and a bit a class")
  func bytes() throws {
    let federation = try federation(cohort: 5, rounds: 3)
    let outcome = try federation.run()
    var all = Set<Int>()
    for rounds in 1...3 {
      let record = outcome.records[rounds - 1]
      #expect(record.bytesDown == 5 * (4 * Self.width * 10 + 2))
      #expect((record.bytesUp - 5 * 2) % (4 * Self.width) == 0)
    }
    let single = try self.federation(cohort: 1).run()
    let client = try #require(single.states.keys.first)
    all = held(client, federation)
    #expect(single.records[0].bytesUp == 4 * Self.width * all.count + 2)
  }

  @Test("The server's model is the initial one, and the prototypes are its result")
  func serverKeepsTheInitialModel() throws {
    let federation = try federation(rounds: 2)
    let outcome = try federation.run()
    #expect(outcome.model == federation.initial)
    #expect(outcome.results.count == 1 && outcome.bits.count == outcome.model.count + 10 * (Self.width + 1))
  }

  @Test("Before there are prototypes λ changes nothing, afterwards it draws embeddings to them")
  func lambda() throws {
    func states(_ lambda: String, _ rounds: Int) throws -> [Int: [Float]] {
      try federation("{name: fedproto, lambda: \(lambda)}", rounds: rounds).run().states
    }
    #expect(try states("0", 1) == states("3", 1))
    #expect(try states("0", 2) != states("3", 2))
  }

  @Test("Clients tell their classes by the nearest prototype")
  func accuracy() throws {
    let outcome = try SmallFederation(
      "{strategy: fedproto, clients: 12, rounds: 12, batch: 4, partition: {name: classes, classes-per-client: 3}, "
        + "evaluation: {samples: own-labels}}", optimizer: "{name: sgd, learning-rate: 0.05, momentum: 0.5}"
    ).run { $0 == 0 || $0 == 11 }
    let (early, late) = (outcome.judgements[0][1], outcome.judgements[1][1])
    #expect(late.accuracy > 0.75)
    #expect(late.accuracy > early.accuracy)
  }
}

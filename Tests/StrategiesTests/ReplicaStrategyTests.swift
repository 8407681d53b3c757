import Strategies
import Tensors
import Testing

@Suite("Replicas move as their papers say, on any number of ranks")
struct ReplicaStrategyTests {
  static let steps = 13

  /// A strategy, by its configuration, and what should come of it.
  struct Method: Sendable, CustomTestStringConvertible {
    let yaml: String
    let reference: @Sendable (_ shards: Int) -> [[[Float]]]
    var testDescription: String { yaml }
  }

  private static let everything = [Array(0..<ReplicaTrial.scalars)]
  /// Layers a and norm with its states; b and c.
  private static let halves = [
    Array(0..<20) + Array(61..<67) + Array(78..<84),
    Array(20..<61) + Array(67..<78),
  ]

  static let methods = [
    Method(yaml: "{name: local-sgd, period: 3}") { ReplicaReference.localSGD($0, steps, period: 3) },
    Method(yaml: "{name: post-local-sgd, start: 4 steps, period: 3}") {
      ReplicaReference.postLocalSGD($0, steps, start: 4, period: 3)
    },
    // The trial's epochs have three steps.
    Method(yaml: "{name: post-local-sgd, start: 2 epochs, period: 2}") {
      ReplicaReference.postLocalSGD($0, steps, start: 6, period: 2)
    },
    Method(yaml: "{name: diloco, period: 3}") {
      ReplicaReference.diloco($0, steps, interval: 3, fragments: everything)
    },
    Method(yaml: "{name: diloco, period: 2, outer-learning-rate: 0.5, outer-momentum: 0}") {
      ReplicaReference.diloco($0, steps, interval: 2, fragments: everything, learningRate: 0.5, momentum: 0)
    },
    Method(yaml: "{name: streaming-diloco, period: 3, fragments: 1}") {
      ReplicaReference.diloco($0, steps, interval: 3, fragments: everything)
    },
    Method(yaml: "{name: streaming-diloco, period: 4, fragments: 2}") {
      ReplicaReference.diloco($0, steps, interval: 2, fragments: halves)
    },
    Method(yaml: "{name: streaming-diloco, period: 8, fragments: 2, delay: 3, mixing: 0.25}") {
      ReplicaReference.diloco($0, steps, interval: 4, fragments: halves, delay: 3, mixing: 0.25)
    },
    Method(yaml: "gossip") { ReplicaReference.gossip($0, steps) },
    Method(yaml: "push-gossip") {
      ReplicaReference.pushGossip($0, steps, w: [Float](repeating: 1, count: $0)).vectors
    },
  ]

  @Test("to the bit, and send the bytes of their formula", arguments: methods, [1, 2, 3, 5, 8])
  func bits(_ method: Method, shards: Int) throws {
    let expected = method.reference(shards).map { $0.map(\.bits) }
    let stand = ReplicaReference.mean(method.reference(shards)[Self.steps - 1])
    for ranks in 1...min(4, shards) {
      let outcomes = try ReplicaTrial.run(method.yaml, ranks: ranks, shards: shards, steps: Self.steps)
      for step in 0..<Self.steps {
        #expect(
          outcomes.flatMap { $0.vectors[step] }.map(\.bits) == expected[step], "step \(step) on \(ranks) ranks")
      }
      for outcome in outcomes {
        #expect(outcome.consensus.bits == stand.bits)
        #expect(outcome.sent == outcome.formula.map { $0 ?? -1 }, "\(ranks) ranks")
        #expect(outcome.common == outcomes[0].common)
        #expect(outcome.pending == 0)
        if ranks == 1 { #expect(outcome.sent.allSatisfy { $0 == 0 }) }
      }
    }
  }

  @Test(
    "with one worker, those that say so are plain SGD",
    arguments: ["local-sgd", "post-local-sgd", "gossip", "push-gossip"])
  func oneWorker(_ name: String) throws {
    let plain = ReplicaReference.localSGD(1, 20, period: .max)
    let outcome = try ReplicaTrial.run(name, ranks: 1, shards: 1, steps: 20)[0]
    #expect(outcome.vectors.map { $0.map(\.bits) } == plain.map { $0.map(\.bits) })
  }

  @Test("push-sum weights that are not 1 are carried and divided by", arguments: [2, 3, 8])
  func pushWeights(shards: Int) throws {
    let weights = (0..<shards).map { 0.5 + Float($0) / 8 }
    let expected = ReplicaReference.pushGossip(shards, 6, w: weights)
    for ranks in 1...min(3, shards) {
      let outcomes = try ReplicaTrial.run("push-gossip", ranks: ranks, shards: shards, steps: 6) { memory in
        if case .shard(let shard) = memory.owner { memory.storage.base[0] = 0.5 + Float(shard) / 8 }
      }
      #expect(outcomes.flatMap { $0.vectors[5] }.map(\.bits) == expected.vectors[5].map(\.bits))
    }
    // No mass is lost, and what workers stand for converges to each other.
    #expect(abs(expected.w.reduce(0, +) - weights.reduce(0, +)) < 1e-5)
  }

  @Test("bytes are those of the documentation, summed over ranks", arguments: [2, 4])
  func documented(ranks p: Int) throws {
    let (shards, n) = (8, ReplicaTrial.scalars)
    func total(_ yaml: String) throws -> [Int] {
      let outcomes = try ReplicaTrial.run(yaml, ranks: p, shards: shards, steps: 6)
      return (0..<6).map { step in outcomes.reduce(0) { $0 + $1.sent[step] } }
    }
    // One subtree a rank: 4n·2·(p − 1)/p each.
    let mean = 8 * n * (p - 1)
    #expect(try total("{name: local-sgd, period: 2}") == [0, mean, 0, mean, 0, mean])
    #expect(try total("{name: post-local-sgd, start: 2 steps, period: 3}") == [mean, mean, 0, 0, mean, 0])
    #expect(try total("{name: diloco, period: 3}") == [0, 0, mean, 0, 0, mean])
    let parts = Self.halves.map { 8 * $0.count * (p - 1) }
    #expect(
      try total("{name: streaming-diloco, period: 4, fragments: 2, delay: 1}")
        == [parts[0], 0, parts[1], 0, parts[0], 0])
    #expect(try total("gossip") == [Int](repeating: 4 * n * 2 * p, count: 6))
    // Hops of 1, 2 and 4; a rank has 8/p workers.
    let pushes = [1, 2, 4].map { 4 * (n + 1) * p * min($0, 8 / p) }
    #expect(try total("push-gossip") == pushes + pushes)
  }

  @Test("a delay that lasts into the next turn, or a period that fragments do not divide, is refused")
  func refused() {
    for yaml in [
      "{name: streaming-diloco, period: 8, fragments: 4, delay: 2}", "{name: streaming-diloco, period: 10}",
      "{name: diloco, outer-momentum: 1}", "{name: gossip, period: 3}",
    ] {
      #expect(throws: (any Error).self, "\(yaml)") { try ReplicaTrial.strategy(yaml) }
    }
  }
}

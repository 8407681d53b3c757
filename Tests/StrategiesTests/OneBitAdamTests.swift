import Configuration
import Optimizers
import Strategies
import Testing

@Suite("1-bit Adam")
struct OneBitAdamTests {
  static let adam = Adam(beta1: 0.8, beta2: 0.95, epsilon: 1e-3)
  static let freeze = 2

  /// Some scalars never have a gradient.
  @Sendable static func leaf(_ step: Int, _ shard: Int, _ count: Int) -> [Float] {
    awkwardNumbers(count, seed: 100 * step + shard).enumerated().map { $0 % 11 == 3 ? 0 : $1 }
  }

  private func run(_ ranks: Int, _ shards: Int, steps: Int = 5, sizes: [Int] = StrategyRun.sizes) -> StrategyRun {
    StrategyRun(
      strategy: "{name: onebit-adam, freeze-step: \(Self.freeze)}", ranks: ranks, shards: shards, sizes: sizes,
      steps: steps, rule: Self.adam, leaf: Self.leaf)
  }

  /// The algorithm without ranks: all workers and servers in one place, in Float64.
  private struct Reference {
    let sizes: [Int]
    let shards: Int
    var m: [Double]
    var v: [Double]
    var workers: [[Double]]
    /// Of all chunks, where their scalars lie in the vector.
    var servers: [Double]

    init(sizes: [Int], shards: Int) {
      (self.sizes, self.shards) = (sizes, shards)
      let zeros = Array(repeating: 0.0, count: sizes.reduce(0, +))
      (m, v, servers) = (zeros, zeros, zeros)
      workers = Array(repeating: zeros, count: shards)
    }

    /// Scalars of each parameter, and of each chunk of it: lines of 16, spread evenly.
    private var parameters: [(whole: Range<Int>, chunks: [Range<Int>])] {
      var start = 0
      return sizes.map { size in
        defer { start += size }
        let lines = (size + 15) / 16
        let cuts = (0...shards).map { start + min(size, lines * $0 / shards * 16) }
        return (start..<start + size, (0..<shards).map { cuts[$0]..<cuts[$0 + 1] }.filter { !$0.isEmpty })
      }
    }

    private func scale(_ x: ArraySlice<Double>) -> Double {
      (x.reduce(0) { $0 + $1 * $1 } / Double(x.count)).squareRoot()
    }

    mutating func step(_ gradients: [[Float]], isExact: Bool, _ adam: Adam) -> [Double] {
      let all = m.indices
      let mean = all.map { i in gradients.reduce(0) { $0 + Double($1[i]) } }
      if isExact || shards == 1 {
        for i in all {
          m[i] = adam.beta1 * m[i] + (1 - adam.beta1) * mean[i]
          if isExact { v[i] = adam.beta2 * v[i] + (1 - adam.beta2) * mean[i] * mean[i] }
        }
      } else {
        var said = Array(repeating: 0.0, count: m.count)
        for worker in 0..<shards {
          for i in all where v[i] > 0 {
            workers[worker][i] += adam.beta1 * m[i] + (1 - adam.beta1) * Double(shards) * Double(gradients[worker][i])
          }
          for (whole, _) in parameters {
            let scale = scale(workers[worker][whole].map { $0 }[...])
            for i in whole where v[i] > 0 {
              let sign = workers[worker][i] >= 0 ? scale : -scale
              workers[worker][i] -= sign
              said[i] += sign / Double(shards)
            }
          }
        }
        for (_, chunks) in parameters {
          for chunk in chunks {
            for i in chunk where v[i] > 0 { servers[i] += said[i] }
            let scale = scale(servers[chunk].map { $0 }[...])
            for i in chunk {
              m[i] = v[i] == 0 ? 0 : servers[i] >= 0 ? scale : -scale
              servers[i] -= m[i]
            }
          }
        }
      }
      return all.map { m[$0] / (v[$0].squareRoot() + adam.epsilon) }
    }
  }

  @Test("is the algorithm, the same bits and errors on any number of ranks", arguments: 1...8)
  func reference(shards: Int) throws {
    let alone = try run(1, shards).outcomes()[0]
    let n = StrategyRun.sizes.reduce(0, +)
    var reference = Reference(sizes: StrategyRun.sizes, shards: shards)
    for (step, result) in alone.results.enumerated() {
      let leaves = (0..<shards).map { Self.leaf(step, $0, n + StrategyRun.tail) }
      let expected = reference.step(leaves, isExact: step < Self.freeze, Self.adam)
      let wrong = zip(result, expected).filter { abs(Double($0) - $1) > 1e-4 * max(1, abs($1)) }
      #expect(wrong.isEmpty, "step \(step): \(wrong.prefix(3))")
      #expect(Array(result[n...]).bits == treeSum(leaves.map { Array($0[n...]) }[...]).bits)
    }
    for ranks in [2, 3, 4, 5, 8] where ranks <= shards {
      var memory: [String: [Float]] = [:]
      for outcome in try run(ranks, shards).outcomes() {
        #expect(outcome.results.map(\.bits) == alone.results.map(\.bits), "\(ranks) ranks")
        #expect(outcome.formulas == outcome.bytes, "\(ranks) ranks")
        memory.merge(outcome.memory) { first, _ in first }
      }
      #expect(memory.mapValues(\.bits) == alone.memory.mapValues(\.bits), "\(ranks) ranks")
    }
  }

  @Test("goes on from what it remembers, on another number of ranks", arguments: [(3, 2, 4), (1, 4, 1), (4, 1, 3)])
  func resumed(_ first: Int, _ before: Int, _ after: Int) throws {
    let whole = try run(1, 5).outcomes()[0]
    var memory: [String: [Float]] = [:]
    for outcome in try run(before, 5, steps: first).outcomes() { memory.merge(outcome.memory) { one, _ in one } }
    var rest = run(after, 5, steps: 5 - first)
    rest.before = (first, memory)
    for outcome in try rest.outcomes() {
      #expect(outcome.results.map(\.bits) == whole.results.suffix(5 - first).map(\.bits))
    }
  }

  @Test("what was said and what is left is what there was to say")
  func feedback() throws {
    // One parameter whose four chunks follow each other, so that servers' errors lie in its order.
    let n = 640
    func remembered(_ steps: Int) throws -> [String: [Float]] {
      try run(2, 4, steps: steps, sizes: [n]).outcomes().reduce(into: [:]) { $0.merge($1.memory) { one, _ in one } }
    }
    let before = try #require(remembered(Self.freeze)["first-moment"])
    let after = try remembered(Self.freeze + 1)
    let said = try #require(after["first-moment"])
    let servers = try (0..<4).flatMap { try #require(after["shard\($0).server-error"]) }
    let workers = try (0..<4).map { try #require(after["shard\($0).worker-error"]) }
    let leaves = (0..<4).map { Self.leaf(Self.freeze, $0, n + StrategyRun.tail) }
    for i in 0..<n where i % 11 != 3 {
      let left = servers[i] + workers.reduce(0) { $0 + $1[i] } / 4
      let momentum = 0.8 * before[i] + 0.2 * leaves.reduce(0) { $0 + $1[i] }
      #expect(abs(said[i] + left - momentum) <= 1e-4 * max(1, abs(momentum)))
    }
  }

  @Test("sends about a thirty-second of all-reduce once it is frozen")
  func volume() throws {
    let n = 131_072
    let outcomes = try run(4, 4, steps: 4, sizes: [n]).outcomes()
    for outcome in outcomes {
      let tail = outcome.bytes[2] - 3 * 2 * (n / 32 + 4)
      #expect((0...200).contains(tail))
      #expect(outcome.bytes[0] > 30 * outcome.bytes[2])
      #expect(outcome.bytes[2] == outcome.bytes[3])
    }
  }

  @Test("a scalar that never had a gradient never moves")
  func mask() throws {
    let outcome = try run(2, 4).outcomes()[0]
    let n = StrategyRun.sizes.reduce(0, +)
    for result in outcome.results { #expect((0..<n).allSatisfy { $0 % 11 != 3 || result[$0] == 0 }) }
    #expect(outcome.results[4].contains { $0 != 0 })
  }

  @Test("goes with adam alone, and leaves only its decay to plain SGD")
  func rules() throws {
    let strategy = try StrategyRun.make("onebit-adam")
    let rule = try strategy.rule(for: Adam(weightDecay: 0.1))
    #expect(rule is SGD && rule.stateNames.isEmpty)
    for rule in [SGD(), AdamW(), RMSprop(), LARS()] as [any UpdateRule] {
      #expect {
        _ = try strategy.rule(for: rule)
      } throws: {
        "\($0)".contains("optimizer.name: adam")
      }
    }
  }
}

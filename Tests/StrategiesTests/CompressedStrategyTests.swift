import Configuration
import Optimizers
import Strategies
import Tensors
import Testing

@Suite("Compressed strategies")
struct CompressedStrategyTests {
  /// Every strategy, with options that matter for parameters of a few hundred scalars.
  static let strategies = [
    "float16", "{name: float16, scale: 1}", "bfloat16", "{name: top-k, ratio: 0.1}",
    "{name: top-k, ratio: 0.1, feedback: false}", "{name: random-k, ratio: 0.1}",
    "{name: random-k, ratio: 0.1, unbiased: true}", "{name: dgc, ratio: 0.02, warmup: 3 steps, clip: 1}",
    "sign-majority", "sign-feedback", "{name: qsgd, bucket: 256}", "{name: qsgd, levels: 1, norm: maximum}", "terngrad",
    "{name: powersgd, rank: 2, start: 1}",
  ]

  @Test(
    "have the same bits and memory for every number of ranks and every size of bucket, and send what they say",
    arguments: strategies, [1, 3, 8])
  func ranks(_ strategy: String, _ shards: Int) throws {
    let one = try CompressedRun(strategy: strategy, shards: shards)()
    #expect(one.counted.allSatisfy { $0.allSatisfy { $0 == 0 } })
    for ranks in [1, 2, 3, 4, 8] where ranks <= shards {
      for bucket in [4, 200, 10_000] {
        let outcome = try CompressedRun(strategy: strategy, ranks: ranks, shards: shards, bucket: bucket)()
        #expect(outcome.agree, "\(ranks) ranks, buckets of \(bucket)")
        #expect(outcome.blocks.map(\.bits) == one.blocks.map(\.bits), "\(ranks) ranks, buckets of \(bucket)")
        #expect(outcome.counted == outcome.formula, "\(ranks) ranks, buckets of \(bucket)")
        if bucket == 200 {
          #expect(outcome.memory.mapValues(\.bits) == one.memory.mapValues(\.bits), "\(ranks) ranks")
        }
      }
    }
  }

  @Test("add the tail exactly, in the order of the tree", arguments: strategies)
  func tail(_ strategy: String) throws {
    let run = CompressedRun(strategy: strategy, ranks: 2, shards: 5)
    for (step, block) in try run().blocks.enumerated() {
      let expected = treeSum((0..<5).map { run.gradient(step, $0) }[...])
      #expect(Array(block.suffix(CompressedRun.tail)).bits == Array(expected.suffix(CompressedRun.tail)).bits)
    }
  }

  @Test("go on from what they remember, on another number of ranks", arguments: strategies)
  func resume(_ strategy: String) throws {
    let whole = try CompressedRun(strategy: strategy, ranks: 2, shards: 4, steps: 0..<5)()
    let start = try CompressedRun(strategy: strategy, ranks: 4, shards: 4, steps: 0..<2)()
    let rest = try CompressedRun(strategy: strategy, ranks: 3, shards: 4, steps: 2..<5, memory: start.memory)()
    #expect((start.blocks + rest.blocks).map(\.bits) == whole.blocks.map(\.bits))
    #expect(rest.memory.mapValues(\.bits) == whole.memory.mapValues(\.bits))
  }

  @Test("show what is not finite, wherever it is", arguments: strategies, [Float.nan, .infinity, -.infinity])
  func notFinite(_ strategy: String, _ value: Float) throws {
    for place in CompressedRun.layout.parameters.map({ ($0.range.lowerBound + $0.range.upperBound) / 2 }) {
      for steps in [0..<1, 3..<4] {
        let outcome = try CompressedRun(strategy: strategy, ranks: 3, shards: 4, steps: steps) { step, shard in
          var gradient = gentleNumbers(CompressedRun.scalars, seed: 1_000 * step + shard)
          if shard == 2 { gradient[place] = value }
          return gradient
        }()
        #expect(outcome.agree)
        #expect(outcome.blocks[0].contains { !$0.isFinite }, "at \(place)")
      }
    }
  }

  @Test("move nothing where there is nothing to move", arguments: strategies)
  func zeros(_ strategy: String) throws {
    let outcome = try CompressedRun(strategy: strategy, ranks: 2, shards: 3) { _, _ in
      [Float](repeating: 0, count: CompressedRun.scalars)
    }()
    for (step, block) in outcome.blocks.enumerated() {
      // A bit knows no zero.
      let expected: Float = strategy != "sign-majority" ? 0 : step % 2 == 0 ? 1 : -1
      #expect(block.dropLast(CompressedRun.tail).allSatisfy { $0 == expected })
    }
  }

  @Test(
    "with error feedback: all that was sent and what is left are all gradients",
    arguments: [
      "{name: top-k, ratio: 0.1}", "{name: random-k, ratio: 0.1}", "sign-feedback", "{name: powersgd, start: 0}",
      "{name: powersgd, rank: 3, start: 2}",
    ])
  func identity(_ strategy: String) throws {
    let (shards, steps) = (3, 12)
    let run = CompressedRun(strategy: strategy, ranks: 2, shards: shards, steps: 0..<steps)
    let outcome = try run()
    var gap = [Double](repeating: 0, count: CompressedRun.layout.parameterCount)
    for step in 0..<steps {
      for index in gap.indices {
        gap[index] += Double(outcome.blocks[step][index])
        for shard in 0..<shards { gap[index] -= Double(run.gradient(step, shard)[index]) }
      }
    }
    for shard in 0..<shards {
      let residual = try #require(outcome.memory["shard\(shard).residual"])
      #expect(residual.contains { $0 != 0 })
      for index in gap.indices { gap[index] += Double(residual[index]) }
    }
    // Numbers below 1, some hundred additions.
    #expect(gap.allSatisfy { abs($0) < 1e-4 })
  }

  @Test(
    "that leave nothing out are all-reduce, to the bit",
    arguments: [
      ("{name: top-k, ratio: 1}", 1), ("{name: random-k, ratio: 1}", 5),
      ("{name: random-k, ratio: 1, unbiased: true}", 5), ("{name: powersgd, start: 100}", 5),
    ])
  func everything(_ strategy: String, _ shards: Int) throws {
    let run = CompressedRun(strategy: strategy, ranks: min(2, shards), shards: shards)
    for (step, block) in try run().blocks.enumerated() {
      let isSum = block.bits == treeSum((0..<shards).map { run.gradient(step, $0) }[...]).bits
      #expect(isSum, "step \(step)")
    }
  }

  @Test(
    "refuse options that mean nothing",
    arguments: [
      "{name: float16, scale: 0}", "{name: float16, scale: -1}", "{name: bfloat16, scale: 2}",
      "{name: top-k, ratio: 0}",
      "{name: top-k, ratio: 1.5}", "{name: top-k, feedback: 3}", "{name: random-k, ratio: -1}",
      "{name: random-k, unbiased: often}", "{name: dgc, ratio: 0}", "{name: dgc, warmup: 0 steps}",
      "{name: dgc, warmup: 7}", "{name: dgc, clip: 0}",
      "{name: sign-majority, scale: 0}", "{name: sign-feedback, ratio: 0.1}", "{name: qsgd, levels: 0}",
      "{name: qsgd, levels: 128}", "{name: qsgd, bucket: 300}", "{name: qsgd, norm: manhattan}",
      "{name: terngrad, clip: 0}", "{name: powersgd, rank: 0}", "{name: powersgd, start: -1}",
    ])
  func options(_ strategy: String) {
    #expect(throws: ConfigurationError.self) { try CompressedRun(strategy: strategy).make() }
  }

  @Test("deep gradient compression takes over sgd's momentum, and goes with nothing else")
  func momentum() throws {
    let strategy = try CompressedRun(strategy: "dgc").make()
    let rule = try strategy.rule(for: SGD(momentum: 0.9, weightDecay: 0.1))
    let sgd = try #require(rule as? SGD)
    #expect(sgd.momentum == 0 && sgd.weightDecay == 0.1)
    #expect(throws: ConfigurationError.self) { try strategy.rule(for: SGD(momentum: 0.9, nesterov: true)) }
    #expect { try strategy.rule(for: Adam()) } throws: { "\($0)".contains("optimizer.name: sgd") }
  }
}

import Communication
import Optimizers
import Strategies
import Testing

@Suite("Strategies that only change who adds what where give the bits of the tree")
struct ExactSumTests {
  static let strategies = [
    "allreduce", "{name: zero, stage: 1}", "{name: zero, stage: 2}", "{name: hierarchical, group: 1}",
    "{name: hierarchical, group: 2}", "{name: hierarchical, group: 3}", "hierarchical",
  ]

  @Test("on every rank, in every step, and send the bytes of their formulas", arguments: strategies)
  func bits(_ strategy: String) throws {
    for (ranks, shards) in StrategyRun.pairs() {
      let run = StrategyRun(strategy: strategy, ranks: ranks, shards: shards, steps: 2)
      let count = run.sizes.reduce(0, +) + StrategyRun.tail
      let expected = (0..<run.steps).map { step in treeSum((0..<shards).map { run.leaf(step, $0, count) }[...]).bits }
      for (rank, outcome) in try run.outcomes().enumerated() {
        #expect(outcome.results.map(\.bits) == expected, "\(strategy), rank \(rank) of \(ranks), \(shards) shards")
        #expect(outcome.formulas == outcome.bytes, "\(strategy), rank \(rank) of \(ranks), \(shards) shards")
        #expect(ranks == 1 || outcome.bytes.allSatisfy { $0 > 0 })
      }
    }
  }

  @Test("also of a model smaller than the ranks are many", arguments: strategies)
  func small(_ strategy: String) throws {
    for sizes in [[1], [2, 1], []] {
      let run = StrategyRun(strategy: strategy, ranks: 5, shards: 7, sizes: sizes, steps: 2)
      let count = sizes.reduce(0, +) + StrategyRun.tail
      let expected = (0..<run.steps).map { step in treeSum((0..<7).map { run.leaf(step, $0, count) }[...]).bits }
      for outcome in try run.outcomes() {
        #expect(outcome.results.map(\.bits) == expected)
        #expect(outcome.formulas == outcome.bytes)
      }
    }
  }

  @Test("ZeRO shares parameters out without gap or overlap, alike to a block", arguments: 1...8)
  func shares(ranks: Int) throws {
    let outcomes = try StrategyRun(strategy: "zero", ranks: ranks, shards: 8, sizes: [60_000, 7, 30_000], steps: 1)
      .outcomes()
    var end = 0
    for owned in outcomes.map(\.owned) {
      #expect(owned.lowerBound == end)
      #expect(abs(owned.count - 90_007 / ranks) <= 4_096)
      end = owned.upperBound
    }
    #expect(end == 90_007)
  }

  @Test("ZeRO's second stage sends as much as all-reduce, its first once the parameters more")
  func volume() throws {
    func bytes(_ strategy: String) throws -> Int {
      try StrategyRun(strategy: strategy, ranks: 4, shards: 4, sizes: [40_960, 40_960], steps: 1).outcomes()
        .reduce(0) { $0 + $1.bytes[0] }
    }
    let n = 81_920
    let whole = try bytes("allreduce")
    #expect(whole == 4 * 2 * 3 * (n + StrategyRun.tail))
    #expect(try bytes("{name: zero, stage: 2}") == whole)
    #expect(try bytes("{name: zero, stage: 1}") == whole + 4 * 3 * n)
  }

  @Test("a hierarchy sends the sum over its two levels")
  func levels() throws {
    let n = 65_536 - StrategyRun.tail
    let outcomes = try StrategyRun(
      strategy: "{name: hierarchical, group: 4}", ranks: 8, shards: 8, sizes: [n], steps: 1
    ).outcomes()
    // Within groups of 4: every scalar but a quarter out, a quarter to three others; between 2 groups: an eighth out and in.
    for outcome in outcomes { #expect(outcome.bytes == [4 * (3 * 16_384 + 2 * 8_192 + 3 * 16_384)]) }
  }

  @Test("Groups are consecutive, no larger than asked and alike", arguments: 1...9)
  func groups(size: Int) {
    for ranks in 1...9 {
      let groups = RankGroups.groups(of: ranks, size: size)
      #expect(groups.flatMap { $0 } == Array(0..<ranks))
      #expect(groups.allSatisfy { !$0.isEmpty && $0.count <= size })
      #expect((groups.map(\.count).max() ?? 0) - (groups.map(\.count).min() ?? 0) <= 1)
    }
  }

  @Test("Ranks of one process share a host")
  func host() throws {
    for groups in InProcessCommunicator.run(ranks: 3, { try RankGroups.hosts($0) }) {
      #expect(try groups.get() == [0..<3])
    }
  }
}

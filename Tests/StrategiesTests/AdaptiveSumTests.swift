import Strategies
import Testing

@Suite("Adasum")
struct AdaptiveSumTests {
  /// Equation 1 for one parameter, as it stands in the paper.
  private func pair(_ a: [Double], _ b: [Double]) -> [Double] {
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
    let (ab, aa, bb) = (dot(a, b), dot(a, a), dot(b, b))
    let (left, right) = (aa == 0 ? 1 : 1 - ab / (2 * aa), bb == 0 ? 1 : 1 - ab / (2 * bb))
    return zip(a, b).map { left * $0 + right * $1 }
  }

  private func tree(_ leaves: ArraySlice<[Double]>) -> [Double] {
    if leaves.count == 1 { return leaves[leaves.startIndex] }
    var half = 1
    while 2 * half < leaves.count { half *= 2 }
    let middle = leaves.startIndex + half
    return pair(tree(leaves[..<middle]), tree(leaves[middle...]))
  }

  @Test(
    "is the paper's combination of workers' gradients, the same bits on any number of ranks", arguments: 1...8)
  func reference(shards: Int) throws {
    let alone = try StrategyRun(strategy: "adasum", ranks: 1, shards: shards).outcomes()[0]
    let sizes = StrategyRun.sizes
    let count = sizes.reduce(0, +) + StrategyRun.tail
    for step in alone.results.indices {
      let leaves = (0..<shards).map { awkwardNumbers(count, seed: 1_000 * step + $0) }
      var start = 0
      for size in sizes {
        let own = leaves.map { leaf in leaf[start..<start + size].map { Double($0) * Double(shards) } }
        let expected = tree(own[...])
        let scale = own.joined().reduce(0) { max($0, abs($1)) }
        let wrong = zip(alone.results[step][start..<start + size], expected).filter {
          abs(Double($0) - $1) > 1e-5 * scale
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        start += size
      }
      // What rides behind the gradients is a sum.
      #expect(Array(alone.results[step][start...]).bits == treeSum(leaves.map { Array($0[start...]) }[...]).bits)
    }
    for ranks in [2, 3, 4, 5, 8] where ranks <= shards {
      for outcome in try StrategyRun(strategy: "adasum", ranks: ranks, shards: shards).outcomes() {
        #expect(outcome.results.map(\.bits) == alone.results.map(\.bits), "\(ranks) ranks")
        #expect(outcome.formulas == outcome.bytes)
      }
    }
  }

  @Test("with one worker is its gradient")
  func alone() throws {
    let run = StrategyRun(strategy: "adasum", ranks: 1, shards: 1, steps: 1)
    let count = run.sizes.reduce(0, +) + StrategyRun.tail
    #expect(try run.outcomes()[0].results[0].bits == awkwardNumbers(count, seed: 0).bits)
  }

  @Test("of workers that agree is what one of them says", arguments: [2, 4, 8])
  func agreement(shards: Int) throws {
    let run = StrategyRun(
      strategy: "adasum", ranks: 2, shards: shards, steps: 1,
      leaf: { _, _, count in awkwardNumbers(count, seed: 4).map { $0 / Float(shards) } })
    let n = run.sizes.reduce(0, +)
    for outcome in try run.outcomes() {
      let wrong = zip(outcome.results[0].prefix(n), awkwardNumbers(n, seed: 4)).filter { abs($0 - $1) > 1e-5 * abs($1) }
      #expect(wrong.isEmpty, "\(wrong.prefix(3))")
    }
  }

  @Test("of workers that share nothing is the sum of their own gradients", arguments: [2, 4])
  func disjoint(shards: Int) throws {
    let run = StrategyRun(
      strategy: "adasum", ranks: 2, shards: shards, sizes: [1_000], steps: 1,
      leaf: { _, shard, count in
        awkwardNumbers(count, seed: shard).enumerated().map { $0 % shards == shard ? $1 : 0 }
      })
    let leaves = (0..<shards).map { run.leaf(0, $0, 1_000) }
    for outcome in try run.outcomes() {
      let expected = (0..<1_000).map { Float(shards) * leaves[$0 % shards][$0] }
      #expect(Array(outcome.results[0].prefix(1_000)) == expected)
    }
  }

  @Test("passes over a worker without samples")
  func empty() throws {
    let run = StrategyRun(
      strategy: "adasum", ranks: 3, shards: 4, steps: 1,
      leaf: { _, shard, count in
        shard == 1 ? awkwardNumbers(count, seed: 9) : Array(repeating: 0, count: count)
      })
    let n = run.sizes.reduce(0, +)
    let expected = awkwardNumbers(n + StrategyRun.tail, seed: 9).prefix(n).map { 4 * $0 }
    for outcome in try run.outcomes() { #expect(Array(outcome.results[0].prefix(n)).bits == expected.bits) }
  }
}

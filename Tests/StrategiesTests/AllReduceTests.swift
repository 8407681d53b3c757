import Communication
import Configuration
import Strategies
import Tensors
import Testing

@Suite("All-reduce gives the bits of the tree")
struct AllReduceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let ranks: Int
    let shards: Int
    let scalars: Int
    var testDescription: String { "\(ranks) ranks, \(shards) shards, \(scalars) scalars" }
  }

  static let cases: [Case] = {
    var cases = [Case(ranks: 3, shards: 7, scalars: 100_003), Case(ranks: 8, shards: 8, scalars: 100_003)]
    for ranks in [1, 2, 3, 4, 5, 8] {
      for shards in ranks...8 {
        for scalars in [1, 3, 4_099] { cases.append(Case(ranks: ranks, shards: shards, scalars: scalars)) }
      }
    }
    return cases
  }()

  /// Parameters that cut a block of this size unevenly.
  private static func layout(_ scalars: Int) -> ParameterLayout {
    var scope = ParameterScope()
    var rest = scalars
    while rest > 0 {
      let size = rest < 4 ? rest : (rest + 2) / 3
      _ = scope.parameter("p\(rest)", [size], .constant(0))
      rest -= size
    }
    return scope.layout
  }

  private static func strategy() throws -> AllReduce {
    var options = Options(try Node.parse("{}", file: "test"))
    return try AllReduce(options: &options)
  }

  /// Bits of every step's result and the bytes that the rank sent.
  struct Outcome: Sendable {
    var bits: [[UInt32]] = []
    var bytes: [Int] = []
    var buckets: [Range<Int>] = []
  }

  private static func run(_ example: Case, steps: Int) -> [Result<Outcome, any Error>] {
    let layout = layout(example.scalars)
    let tree = ShardTree(shards: example.shards)
    return InProcessCommunicator.run(ranks: example.ranks) { base in
      let communicator = MeteredCommunicator(base)
      let buckets = Buckets(
        layout: layout, gradientReady: layout.parameters.map { _ in 1 }, count: example.scalars, scalars: 1024)
      let strategy = try strategy()
      let plan = ExchangePlan(
        communicator: communicator, tree: tree, layout: layout, buckets: buckets.ranges, scalars: example.scalars,
        seed: 1)
      try strategy.prepare(plan)
      let pieces = plan.subtrees(of: communicator.rank)
      var outcome = Outcome()
      outcome.buckets = buckets.ranges
      for step in 0..<steps {
        let sums = pieces.map { piece in
          let sum = Storage(zeros: example.scalars)
          let leaves = piece.map { awkwardNumbers(example.scalars, seed: 1_000 * step + $0) }
          for (index, value) in treeSum(leaves[...]).enumerated() { sum.base[index] = value }
          return sum
        }
        let before = communicator.ledger.total.bytes
        for bucket in buckets.ranges.indices {
          try strategy.gradientsReady(bucket: bucket, sums)
          // Some ranks move exchanges along often, some never: the bits must not know.
          for _ in 0..<communicator.rank { try strategy.poll() }
        }
        let result = try strategy.finishGradients(sums)
        outcome.bits.append(result.scalars.prefix(example.scalars).map(\.bitPattern))
        outcome.bytes.append(communicator.ledger.total.bytes - before)
        withExtendedLifetime(sums) {}
      }
      return outcome
    }
  }

  @Test("on every rank, in every step", arguments: cases)
  func bits(_ example: Case) throws {
    let steps = example.scalars > 10_000 ? 1 : 3
    let expected = (0..<steps).map { step in
      treeSum((0..<example.shards).map { awkwardNumbers(example.scalars, seed: 1_000 * step + $0) }[...]).bits
    }
    for (rank, outcome) in Self.run(example, steps: steps).enumerated() {
      let outcome = try outcome.get()
      #expect(outcome.bits == expected, "rank \(rank)")
    }
  }

  @Test("and sends the bytes of its formula, the same in every step", arguments: cases)
  func bytes(_ example: Case) throws {
    let tree = ShardTree(shards: example.shards)
    let (p, n) = (example.ranks, example.scalars)
    let outcomes = try Self.run(example, steps: 2).map { try $0.get() }
    var total = 0.0
    var formula = 0.0
    for (rank, outcome) in outcomes.enumerated() {
      let k = tree.subtrees(in: tree.shards(of: rank, parts: p)).count
      // Exactly: everything but the part that it owns goes out k times, and that part once to each of the others.
      var owned = 0
      for range in outcome.buckets {
        let lines = (range.count + 15) / 16
        owned += min(range.count, (rank + 1) * lines / p * 16) - min(range.count, rank * lines / p * 16)
      }
      let sent: Int = k * (n - owned) + (p - 1) * owned
      let exact = p == 1 ? 0 : 4 * sent
      #expect(outcome.bytes == [exact, exact])
      let documented: Double = 4 * Double(n * (k + 1) * (p - 1)) / Double(p)
      // Parts are whole cache lines, so a rank owns up to a line more or less a bucket than its share.
      let slack = Double(64 * outcome.buckets.count * (k + p))
      #expect(abs(Double(exact) - documented) <= slack)
      total += Double(exact)
      formula += documented
    }
    // Over all ranks the parts make up the whole; where every rank holds as many sums, nothing is left of the slack.
    let counts = Set((0..<p).map { tree.subtrees(in: tree.shards(of: $0, parts: p)).count })
    if counts.count == 1 { #expect(abs(total - formula) < 1e-6 * max(1, formula)) }
  }
}

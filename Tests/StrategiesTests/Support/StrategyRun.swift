import Communication
import Configuration
import Optimizers
import Strategies
import Tensors

/// A gradient strategy at work on made-up gradients, on ranks in this process.
///
/// The leaf of a step and shard is a whole block: gradients, then a tail.  What the strategy returns is written to a rank's
/// own parameters as it is, as if the update rule were w ← g.
struct StrategyRun: Sendable {
  var strategy: String
  var ranks: Int
  var shards: Int
  var sizes: [Int] = StrategyRun.sizes
  var steps = 3
  /// Configured update rule.
  var rule: any UpdateRule = SGD()
  var leaf: @Sendable (_ step: Int, _ shard: Int, _ count: Int) -> [Float] = {
    awkwardNumbers($2, seed: 1_000 * $0 + $1)
  }
  /// Steps that were made before, with what was remembered after them.
  var before: (steps: Int, memory: [String: [Float]]) = (0, [:])

  /// Parameters that are cut in the middle of blocks of 4,096, and some of a few scalars.
  static let sizes = [3, 4_100, 17, 9_000, 1, 64, 40]
  static let tail = 5

  /// What a rank ends with.
  struct Outcome: Sendable {
    /// Parameters and tail after each step.
    var results: [[Float]] = []
    /// Bytes by the ledger, and by the strategy's formula.
    var bytes: [Int] = []
    var formulas: [Int?] = []
    var owned = 0..<0
    var memory: [String: [Float]] = [:]
    var buckets: [Range<Int>] = []
  }

  /// Ranks × shards that there can be.
  static func pairs(_ most: Int = 8) -> [(ranks: Int, shards: Int)] {
    [1, 2, 3, 4, 5, 8].flatMap { ranks in (ranks...max(ranks, most)).map { (ranks, $0) } }.filter { $0.1 <= most }
  }

  static func layout(_ sizes: [Int]) -> ParameterLayout {
    var scope = ParameterScope()
    for (index, size) in sizes.enumerated() { _ = scope.parameter("p\(index)", [size], .constant(0)) }
    return scope.layout
  }

  static func make(_ yaml: String) throws -> any GradientStrategy {
    var options = Options(try Node.parse("strategy: \(yaml)", file: "test.yaml"))
    let make = try StrategyCatalog.read(&options)
    try options.finish()
    guard let strategy = make() as? any GradientStrategy else { throw NotAGradientStrategy() }
    return strategy
  }

  struct NotAGradientStrategy: Error {}

  /// The outcomes of all ranks.
  func outcomes() throws -> [Outcome] {
    try InProcessCommunicator.run(ranks: ranks) { try outcome($0) }.map { try $0.get() }
  }

  private func outcome(_ base: any Communicator) throws -> Outcome {
    let communicator = MeteredCommunicator(base)
    let layout = StrategyRun.layout(sizes)
    let count = layout.parameterCount + StrategyRun.tail
    let buckets = Buckets(
      layout: layout, gradientReady: layout.parameters.map { _ in 1 }, count: count, scalars: 1024)
    let plan = ExchangePlan(
      communicator: communicator, uncounted: base, tree: ShardTree(shards: shards), layout: layout,
      buckets: buckets.ranges, scalars: count, seed: 1)
    let strategy = try StrategyRun.make(self.strategy)
    try strategy.prepare(plan)
    _ = try strategy.rule(for: rule)
    var outcome = Outcome(owned: strategy.ownedParameters, buckets: buckets.ranges)
    for block in strategy.memory {
      guard let values = before.memory[block.key] else { continue }
      for (index, value) in values.enumerated() { block.storage.base[index] = value }
    }
    let pieces =
      switch strategy.grain {
      case .subtrees: plan.subtrees(of: communicator.rank)
      case .shards: plan.shards.map { $0..<$0 + 1 }
      }
    let store = ParameterStore(layout)
    let blocks = pieces.map { _ in Storage(zeros: count) }
    for step in before.steps..<before.steps + steps {
      for (piece, block) in zip(pieces, blocks) {
        let leaves = piece.map { leaf(step, $0, count) }
        for (index, value) in treeSum(leaves[...]).enumerated() { block.base[index] = value }
      }
      let sent = communicator.ledger.total.bytes
      for bucket in buckets.ranges.indices {
        try strategy.gradientsReady(bucket: bucket, blocks)
        // Some ranks move exchanges along often, some never: the bits must not know.
        for _ in 0..<communicator.rank { try strategy.poll() }
      }
      let result = try strategy.finishGradients(blocks)
      for index in strategy.ownedParameters { store.parameters.base[index] = result.base[index] }
      try strategy.finishUpdate(store)
      outcome.results.append(Array(store.parameters.scalars) + Array(result.scalars[plan.tail]))
      outcome.bytes.append(communicator.ledger.total.bytes - sent)
      outcome.formulas.append(strategy.bytesSent(step: step))
    }
    for block in strategy.memory { outcome.memory[block.key] = Array(block.storage.scalars) }
    return outcome
  }
}

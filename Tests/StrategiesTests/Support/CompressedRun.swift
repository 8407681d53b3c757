import Communication
import Configuration
import Optimizers
import Strategies
import Tensors

/// Steps of a gradient strategy on some number of ranks, with gradients that step and shard decide.
struct CompressedRun: Sendable {
  /// The value of the key `strategy:`.
  var strategy: String
  var ranks = 1
  var shards = 1
  /// Scalars of a bucket.
  var bucket = 200
  /// Steps, which need not begin with 0.
  var steps = 0..<4
  /// What is remembered when the first step begins.
  var memory: [String: [Float]] = [:]
  /// The gradient of a shard in a step, tail included.
  var gradient: @Sendable (_ step: Int, _ shard: Int) -> [Float] = { step, shard in
    gentleNumbers(CompressedRun.scalars, seed: 1_000 * step + shard)
  }

  /// What the ranks saw.
  struct Outcome: Sendable {
    /// The block of every step, the same on all ranks.
    var blocks: [[Float]] = []
    /// Bytes that each rank sent in every step, counted and by formula.
    var counted: [[Int]] = []
    var formula: [[Int?]] = []
    /// What all ranks remember together, at first and in the end.
    var initialMemory: [String: [Float]] = [:]
    var memory: [String: [Float]] = [:]
    /// Whether all ranks had the same blocks.
    var agree = true
  }

  /// Two matrices and two vectors of uneven sizes.
  static let layout: ParameterLayout = {
    var scope = ParameterScope()
    _ = scope.parameter("first/weight", [24, 20], .constant(0))
    _ = scope.parameter("first/bias", [24], .constant(0))
    _ = scope.parameter("second/weight", [8, 6, 3], .constant(0))
    _ = scope.parameter("second/bias", [5], .constant(0))
    return scope.layout
  }()
  static let tail = 3
  /// Of the configured rule, for strategies that do its work.
  static let momentum = 0.5
  static let scalars = layout.parameterCount + tail

  func make() throws -> any GradientStrategy {
    var options = Options(try Node.parse("strategy: \(strategy)", file: "test.yaml"))
    let made = try StrategyCatalog.read(&options)()
    try options.finish()
    guard let strategy = made as? any GradientStrategy else {
      throw ConfigurationError("\(type(of: made).name) exchanges no gradients")
    }
    return strategy
  }

  private struct Share: Sendable {
    var blocks: [[Float]] = []
    var counted: [Int] = []
    var formula: [Int?] = []
    var initialMemory: [String: [Float]] = [:]
    var memory: [String: [Float]] = [:]
  }

  func callAsFunction() throws -> Outcome {
    let layout = CompressedRun.layout
    let shares = InProcessCommunicator.run(ranks: ranks) { base in
      let communicator = MeteredCommunicator(base)
      let buckets = Buckets(
        layout: layout, gradientReady: layout.parameters.map { _ in 1 }, count: CompressedRun.scalars, scalars: bucket)
      let plan = ExchangePlan(
        communicator: communicator, tree: ShardTree(shards: shards), layout: layout, buckets: buckets.ranges,
        scalars: CompressedRun.scalars, seed: 7, stepsPerEpoch: 2)
      let strategy = try make()
      _ = try strategy.rule(for: SGD(momentum: CompressedRun.momentum))
      try strategy.prepare(plan)
      var share = Share()
      for block in strategy.memory {
        share.initialMemory[block.key] = Array(block.storage.scalars)
        if let saved = memory[block.key] { block.storage.base.update(from: saved, count: saved.count) }
      }
      let blocks = plan.shards.map { _ in Storage(zeros: CompressedRun.scalars) }
      for step in steps {
        for (block, shard) in zip(blocks, plan.shards) {
          block.base.update(from: gradient(step, shard), count: CompressedRun.scalars)
        }
        let before = communicator.ledger.total.bytes
        try strategy.beginStep(step)
        for bucket in buckets.ranges.indices {
          try strategy.gradientsReady(bucket: bucket, blocks)
          // Some ranks move exchanges along often, some never: the bits must not know.
          for _ in 0..<communicator.rank { try strategy.poll() }
        }
        let result = try strategy.finishGradients(blocks)
        share.blocks.append(Array(result.scalars.prefix(CompressedRun.scalars)))
        share.counted.append(communicator.ledger.total.bytes - before)
        share.formula.append(strategy.bytesSent(step: step))
      }
      for block in strategy.memory { share.memory[block.key] = Array(block.storage.scalars) }
      withExtendedLifetime(blocks) {}
      return share
    }
    var outcome = Outcome()
    for (rank, share) in shares.enumerated() {
      let share = try share.get()
      if rank == 0 { outcome.blocks = share.blocks }
      if share.blocks.map(\.bits) != outcome.blocks.map(\.bits) { outcome.agree = false }
      outcome.counted.append(share.counted)
      outcome.formula.append(share.formula)
      outcome.initialMemory.merge(share.initialMemory) { first, _ in first }
      outcome.memory.merge(share.memory) { first, _ in first }
    }
    return outcome
  }
}

/// Numbers below 1 of different sizes and both signs.
func gentleNumbers(_ count: Int, seed: Int) -> [Float] { awkwardNumbers(count, seed: seed).map { $0 / 64 } }

extension Array<Float> {
  /// One parameter's scalars.
  func of(_ parameter: Parameter) -> [Float] { Array(self[parameter.range]) }
}

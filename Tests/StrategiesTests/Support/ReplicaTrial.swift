import Communication
import Configuration
import Optimizers
import Strategies
import Tensors
import Testing

/// A few steps of a replica strategy on a problem small enough to be written down: worker i's gradient at x is
/// a_i·x − b_i(step), its statistics are fixed numbers, and in some steps it has no samples.
enum ReplicaTrial {
  static let learningRate: Float = 0.125

  /// Layers a, b, norm and c; norm has states.
  static let layout: ParameterLayout = {
    var scope = ParameterScope()
    scope.nested("a") { scope in
      _ = scope.parameter("weight", [5, 3], .normal(deviation: 1))
      _ = scope.parameter("bias", [5], .normal(deviation: 1))
    }
    scope.nested("b") { scope in _ = scope.parameter("weight", [41], .normal(deviation: 1)) }
    scope.nested("norm") { scope in
      _ = scope.parameter("weight", [6], .normal(deviation: 1))
      _ = scope.state("running_mean", [3], initial: 0, momentum: 0.25)
      _ = scope.state("running_var", [3], initial: 1, momentum: 0.25)
    }
    scope.nested("c") { scope in _ = scope.parameter("weight", [11], .normal(deviation: 1)) }
    return scope.layout
  }()
  static let weights = layout.parameterCount
  static let scalars = layout.gradientCount

  /// The weights and states that all start with.
  static func beginning() -> [Float] {
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 3)
    return Array(store.parameters.scalars) + Array(store.states.scalars)
  }

  /// Every worker is left out now and then, but never all of them.
  static func samples(_ step: Int, _ shard: Int, of shards: Int) -> Int {
    shards > 1 && step % 5 == shard % 5 ? 0 : 1 + (step + shard) % 3
  }

  static func share(_ step: Int, _ shard: Int, of shards: Int) -> Float {
    let total = (0..<shards).reduce(0) { $0 + samples(step, $1, of: shards) }
    return Float(Double(samples(step, shard, of: shards)) / Double(total))
  }

  /// The gradient at x, then statistics; zeros without samples.
  static func gradient(_ step: Int, _ shard: Int, of shards: Int, at x: ArraySlice<Float>) -> [Float] {
    if samples(step, shard, of: shards) == 0 { return [Float](repeating: 0, count: scalars) }
    let noise = awkwardNumbers(scalars, seed: 100 * step + shard)
    let slope = 0.5 + Float(shard) / 8
    return (0..<scalars).map { $0 < weights ? slope * x[x.startIndex + $0] - noise[$0] / 64 : noise[$0] / 64 }
  }

  /// x − η·g, and states towards statistics.
  static func moved(_ vector: [Float], by gradient: [Float]) -> [Float] {
    (0..<scalars).map { i in
      i < weights ? vector[i] - learningRate * gradient[i] : vector[i] + 0.25 * (gradient[i] - vector[i])
    }
  }

  /// What one rank saw.
  struct Outcome: Sendable {
    /// After each step, the vectors of this rank's workers.
    var vectors: [[[Float]]] = []
    /// After the last, what they stand for.
    var consensus: [Float] = []
    /// What every rank remembers.
    var common: [String: [UInt32]] = [:]
    /// Bytes of each step, counted and by formula.
    var sent: [Int] = []
    var formula: [Int?] = []
    var pending = 0
  }

  static func strategy(_ yaml: String) throws -> any ReplicaStrategy {
    var options = Options(try Node.parse("strategy: \(yaml)", file: "test"))
    let made = try StrategyCatalog.read(&options)()
    return try #require(made as? any ReplicaStrategy)
  }

  /// Runs on ranks; `adjust` may change what was remembered at the start.
  static func run(
    _ yaml: String, ranks: Int, shards: Int, steps: Int,
    adjust: @escaping @Sendable (StrategyMemory) -> Void = { _ in }
  ) throws -> [Outcome] {
    let outcomes = InProcessCommunicator.run(ranks: ranks) { base in
      let communicator = MeteredCommunicator(base)
      let plan = ExchangePlan(
        communicator: communicator, uncounted: base, tree: ShardTree(shards: shards), layout: layout, buckets: [],
        scalars: scalars, seed: 1, stepsPerEpoch: 3)
      let begin = beginning()
      let replicas = plan.shards.map { shard in
        let replica = Replica(
          shard: shard, store: ParameterStore(layout), optimizer: Optimizer(SGD(), layout: layout),
          gradient: Storage(zeros: scalars))
        replica.forEachBlock { block, count, offset in
          for i in 0..<count { block[i] = begin[offset + i] }
        }
        return replica
      }
      let strategy = try strategy(yaml)
      try strategy.prepare(plan, replicas)
      try strategy.start()
      for memory in strategy.memory { adjust(memory) }
      var outcome = Outcome()
      for step in 0..<steps {
        let before = communicator.ledger.total.bytes
        for replica in replicas {
          replica.samples = samples(step, replica.shard, of: shards)
          replica.share = share(step, replica.shard, of: shards)
        }
        try strategy.beginStep(step)
        for replica in replicas {
          let gradient = gradient(step, replica.shard, of: shards, at: Array(replica.store.parameters.scalars)[...])
          for i in 0..<scalars { replica.gradient.base[i] = gradient[i] }
          for _ in 0..<communicator.rank { try strategy.poll() }
        }
        try strategy.gradientsReady(step)
        for replica in replicas where replica.samples > 0 {
          for i in 0..<weights { replica.store.parameters.base[i] -= learningRate * replica.gradient.base[i] }
          replica.store.moveStates(replica.gradient)
        }
        try strategy.endStep(step)
        outcome.vectors.append(
          replicas.map { Array($0.store.parameters.scalars) + Array($0.store.states.scalars) })
        // Looking at the model in between changes nothing, and is not counted.
        let store = ParameterStore(layout)
        if step % 3 == 1 || step == steps - 1 { try strategy.consensus(into: store) }
        outcome.consensus = Array(store.parameters.scalars) + Array(store.states.scalars)
        outcome.sent.append(communicator.ledger.total.bytes - before)
        outcome.formula.append(strategy.bytesSent(step: step))
      }
      for memory in strategy.memory where memory.owner == .everyone {
        outcome.common[memory.name] = memory.storage.scalars.map(\.bitPattern)
      }
      outcome.pending = communicator.pending
      return outcome
    }
    return try outcomes.map { try $0.get() }
  }
}

import Communication
import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// Moves a model for each worker, as its own samples say; a strategy brings the models together.
final class ReplicaTrainer: ModelTrainer {
  let store: ParameterStore
  let shards: ShardTeam
  private(set) var version = 0
  var name: String { type(of: strategy).name }
  private let strategy: any ReplicaStrategy
  private let replicas: [Replica]
  private let experiment: Experiment
  private let schedule: BatchSchedule
  private let plan: ExchangePlan
  private let clippers: [GradientNorm]
  /// Parts of the parameters whose gradients are clipped each by itself.
  private let clippedParts: [Range<Int>]
  /// Adds up what ranks tell each other in every step: loss, correct samples, the wish to stop.
  private let tail: TreeSum
  private var isFresh = true
  private var moment: StepMoment?
  private lazy var updating: (Int) -> Void = { [unowned self] member in update(member) }

  /// A trainer of replicas of `store`, which takes their consensus; `plan` is what the strategy knows.
  init(
    _ experiment: Experiment, _ store: ParameterStore, _ shards: ShardTeam, _ schedule: BatchSchedule,
    _ strategy: any ReplicaStrategy, _ plan: ExchangePlan
  ) throws {
    self.experiment = experiment
    self.store = store
    self.shards = shards
    self.schedule = schedule
    self.strategy = strategy
    self.plan = plan
    let rule = try strategy.rule(for: experiment.optimizer.rule)
    replicas = zip(plan.shards, shards.blocks).map { shard, block in
      Replica(
        shard: shard, store: ParameterStore(store.layout), optimizer: Optimizer(rule, layout: store.layout),
        gradient: block)
    }
    clippers = replicas.map { _ in GradientNorm(store.layout) }
    clippedParts = shards.library.learning.clippedParts
    tail = TreeSum(plan, [shards.block.loss..<shards.block.count], of: .shards)
    try strategy.prepare(plan, replicas)
  }

  func start() throws(CommunicationError) {
    for replica in replicas {
      replica.store.parameters.copy(from: store.parameters)
      replica.store.states.copy(from: store.states)
    }
    try strategy.start()
  }

  /// The consensus, unless nothing has moved since it was last taken.
  func refresh() throws(CommunicationError) {
    if isFresh { return }
    try strategy.consensus(into: store)
    isFresh = true
  }

  var optimizerStates: [StateBlock] { [] }

  var memory: [StrategyMemory] {
    let models = replicas.flatMap { replica in
      [("parameters", replica.store.parameters), ("states", replica.store.states)].map {
        StrategyMemory($0.0, of: .shard(replica.shard), $0.1)
      }
        + replica.optimizer.states.map { StrategyMemory("optimizer.\($0.name)", of: .shard(replica.shard), $0.storage) }
    }
    return models + strategy.memory
  }

  /// The strategy's bytes and those of the step's sums.
  func bytesSent(step: Int) -> Int? { strategy.bytesSent(step: step).map { $0 + tail.bytesSent } }

  func step(_ moment: StepMoment) throws -> StepSums {
    let batches = schedule.batches(moment.index)
    for replica in replicas {
      replica.samples = batches.reduce(0) { $0 + schedule.sampler.range(batch: $1, shard: replica.shard).count }
      replica.share = Float(Double(replica.samples) / Double(moment.samples))
    }
    try strategy.beginStep(moment.index)
    let step = Worker.Step(
      store: store, replicas: replicas, firstReplica: plan.shards.lowerBound, version: version, seed: experiment.seed,
      epoch: UInt64(moment.epoch), phase: moment.phase.number, batches: moment.batches, samples: moment.samples,
      stop: moment.stop, busy: moment.busy, due: moment.due)
    let (strategy, blocks) = (strategy, shards.blocks)
    try shards.compute(
      step, ready: { (_) throws(CommunicationError) in }, poll: { () throws(CommunicationError) in try strategy.poll() }
    )
    try tail.start(0, blocks)
    try tail.finish()
    let sums = StepSums(blocks[0], shards.block)
    try sums.requireFinite(step: moment.index + 1)
    try shards.faults?.reach(.update)
    try strategy.gradientsReady(moment.index)
    self.moment = moment
    shards.team.runStored(updating)
    version += 1
    isFresh = false
    try strategy.endStep(moment.index)
    return sums
  }

  /// Moves the replicas of one thread.
  private func update(_ member: Int) {
    guard let moment else { return }
    for index in replicas.indices where index % shards.team.count == member {
      let replica = replicas[index]
      if replica.samples == 0 { continue }
      let all = 0..<store.layout.parameterCount
      let (parameters, gradients) = (replica.store.parameters.base, replica.gradient.base)
      let limit = experiment.training.clip
      if limit != nil { clippers[index].measure(gradients, range: all) }
      replica.store.followParameters()
      replica.optimizer.measure(parameters: parameters, gradients: gradients, range: all, step: moment.index)
      for part in clippedParts {
        replica.optimizer.update(
          parameters: parameters, gradients: gradients, range: part, step: moment.index,
          learningRate: moment.learningRate,
          gradientScale: limit.map { GradientNorm.scale(norm: clippers[index].norm(of: part), clip: $0) } ?? 1)
      }
      replica.store.moveStates(replica.gradient)
    }
  }
}

import Communication
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// Moves one model, the same on all ranks, by gradients that a strategy exchanges.
final class SharedModelTrainer: ModelTrainer {
  let store: ParameterStore
  let shards: ShardTeam
  private(set) var version = 0
  /// The version that all stages hold.
  private var sharedVersion = 0
  var name: String { type(of: strategy).name }
  private let strategy: any GradientStrategy
  /// What the update rule remembers about the parameters that this rank moves.
  let optimizer: Optimizer
  private let experiment: Experiment
  private let communicator: any Communicator
  private let clipper: GradientNorm
  /// Parts of the parameters whose gradients are clipped each by itself, and what those of each are multiplied by.
  private let clippedParts: [Range<Int>]
  private var clipScales: [Float]
  /// What connects this rank with those that have the modules before and behind; nil where it has all.
  private let link: StageLink?
  /// How many blocks of ``ParameterBlocks`` each rank moves.
  private let ownedBlocks: [Int]
  /// Parts of the parameters that the threads of a rank update, cut where sums are.
  private let updateParts: [Range<Int>]
  /// The update under way, for the threads that share it; kept so that a step allocates nothing.
  private struct Update {
    let block: Storage
    let step: Int
    let learningRate: Double
    /// Scalars that move, in order.
    let parameters: [Range<Int>]
  }
  private let everything: [Range<Int>]
  private var pending: Update?
  /// The gradient that noise is being added to, the steps done, and the scalars that move.
  private var disturbed: (block: Storage, step: Int, parameters: [Range<Int>])?
  private lazy var measuring: (Int) -> Void = { [unowned self] member in measure(member) }
  private lazy var disturbing: (Int) -> Void = { [unowned self] member in disturb(member) }
  private lazy var updating: (Int) -> Void = { [unowned self] member in update(member) }

  /// A trainer of the weights in `store`; `plan` is what the strategy knows.
  init(
    _ experiment: Experiment, _ store: ParameterStore, _ shards: ShardTeam, _ strategy: any GradientStrategy,
    _ plan: ExchangePlan, link: StageLink? = nil
  ) throws {
    self.link = link
    self.experiment = experiment
    self.store = store
    self.shards = shards
    self.strategy = strategy
    communicator = plan.communicator
    let rule = try strategy.rule(for: experiment.optimizer.rule)
    try strategy.prepare(plan)
    shards.prepareMeetings(plan)
    optimizer = Optimizer(rule, layout: store.layout, range: strategy.ownedParameters)
    clipper = GradientNorm(store.layout)
    clippedParts = shards.library.learning.clippedParts
    clipScales = clippedParts.map { _ in 1 }
    everything = [0..<store.layout.parameterCount]
    ownedBlocks = try SharedModelTrainer.gather(
      ownedBlocks: clipper.blocks.blocks(in: strategy.ownedParameters).count, plan.aside.communicator)
    updateParts = clipper.blocks.parts(
      of: strategy.ownedParameters, shards.team.parts(of: strategy.ownedParameters.count).count)
  }

  func start() throws(CommunicationError) {}

  /// Brings the modules of other stages up to date.
  func refresh() throws(CommunicationError) {
    guard let link, sharedVersion != version else { return }
    try link.share(store, optimizer)
    sharedVersion = version
  }

  func finish() throws(CommunicationError) { try link?.finish() }

  var optimizerStates: [StateBlock] {
    optimizer.states.map { StateBlock(name: $0.name, range: optimizer.range, storage: $0.storage) }
  }
  var memory: [StrategyMemory] { strategy.memory }

  /// The strategy's bytes, with which the sums of the step ride, and those of meetings.
  func bytesSent(step: Int) -> Int? { strategy.bytesSent(step: step).map { $0 + shards.meetingBytes(step: step) } }

  func step(_ moment: StepMoment) throws -> StepSums {
    try link?.open()
    let step = Worker.Step(
      store: store, version: version, seed: experiment.seed, epoch: UInt64(moment.epoch), phase: moment.phase.number,
      batches: moment.batches, samples: moment.samples, stop: moment.stop, busy: moment.busy, due: moment.due,
      link: link)
    let (strategy, blocks) = (strategy, shards.blocks)
    try strategy.beginStep(moment.index)
    try shards.compute(
      step, ready: { (bucket) throws(CommunicationError) in try strategy.gradientsReady(bucket: bucket, blocks) },
      poll: { () throws(CommunicationError) in try strategy.poll() })
    let sum = try strategy.finishGradients(blocks)
    let sums = StepSums(sum, shards.block)
    // Between stages, whoever evaluates or keeps the model finds out.
    if link == nil { try sums.requireFinite(step: moment.index + 1) }
    if experiment.learning.noise != nil {
      let moved = shards.library.moved(moment.phase.number)
      disturbed = (sum, moment.index, moved?.parameters ?? everything)
      share(disturbing)
    }
    try clip(sum, step: moment.index + 1)
    try shards.faults?.reach(.update)
    try link?.beforeUpdate(store)
    try update(
      from: sum, step: moment.phase.step, learningRate: moment.learningRate, phase: moment.phase.number)
    try link?.afterUpdate(store)
    return link?.agreed(sums) ?? sums
  }

  /// Exchanges whatever lies in the blocks: a step's communication by itself, for benchmarks.
  func exchange() throws(CommunicationError) {
    for bucket in shards.buckets.ranges.indices {
      try strategy.gradientsReady(bucket: bucket, shards.blocks)
      try strategy.poll()
    }
    _ = try strategy.finishGradients(shards.blocks)
  }

  /// Moves parameters and states by a block of gradients.
  func update(
    from block: Storage, step: Int, learningRate: Double = 0, phase: Int = 0
  ) throws(CommunicationError) {
    let moved = shards.library.moved(phase)
    pending = Update(
      block: block, step: step, learningRate: learningRate, parameters: moved?.parameters ?? everything)
    if let norms = optimizer.norms {
      share(measuring)
      try exchange(norms.numbers, each: ParameterNorms.numbersPerBlock)
    }
    store.followParameters()
    share(updating)
    store.moveStates(block, places: moved?.states)
    try strategy.finishUpdate(store)
    version += 1
  }

  /// Runs a closure for each part of the parameters, on as many threads.
  private func share(_ body: @escaping (Int) -> Void) {
    if updateParts.count > 1 { shards.team.runStored(body) } else { body(0) }
  }

  /// Adds noise to a part of the summed gradient.
  private func disturb(_ member: Int) {
    guard let noise = experiment.learning.noise, let disturbed, member < updateParts.count else { return }
    for range in disturbed.parameters {
      noise.add(
        to: disturbed.block.base, range.clamped(to: updateParts[member]), seed: experiment.seed, step: disturbed.step)
    }
  }

  private func measure(_ member: Int) {
    guard let pending, member < updateParts.count else { return }
    optimizer.measure(
      parameters: store.parameters.base, gradients: pending.block.base, range: updateParts[member], step: pending.step)
  }

  private func update(_ member: Int) {
    guard let pending, member < updateParts.count else { return }
    for range in pending.parameters {
      let own = range.clamped(to: updateParts[member])
      for (clipped, scale) in zip(clippedParts, clipScales) {
        let part = own.clamped(to: clipped)
        if part.isEmpty { continue }
        optimizer.update(
          parameters: store.parameters.base, gradients: pending.block.base, range: part, step: pending.step,
          learningRate: pending.learningRate, gradientScale: scale)
      }
    }
  }

  /// Works out what gradients are multiplied by so that the norm of each part stays below the limit.  A norm that is not finite
  /// ends training on all ranks alike.
  private func clip(_ gradients: Storage, step: Int) throws {
    guard let limit = experiment.training.clip else { return }
    clipper.measure(gradients.base, range: strategy.ownedParameters)
    try exchange(clipper.squares, each: 1)
    for (index, part) in clippedParts.enumerated() {
      let norm = clipper.norm(of: part)
      guard norm.isFinite else {
        throw RunError(.diverged, "the gradient of step \(step) is not finite; lower optimizer.learning-rate")
      }
      clipScales[index] = GradientNorm.scale(norm: norm, clip: limit)
    }
  }

  /// Where ranks own different parameters, gives each the numbers that the others have measured about blocks of theirs.
  private func exchange(
    _ numbers: UnsafeMutableBufferPointer<Double>, each: Int
  ) throws(CommunicationError) {
    guard ownedBlocks.contains(where: { $0 < clipper.blocks.count }) else { return }
    let own = clipper.blocks.blocks(in: strategy.ownedParameters)
    let first = own.lowerBound * each
    try communicator.allGather(
      UnsafeBufferPointer(rebasing: numbers[first..<first + own.count * each]), into: numbers,
      counts: ownedBlocks.map { $0 * each })
  }

  /// How many blocks each rank owns, in the order of ranks and parameters.  Collective.
  private static func gather(
    ownedBlocks: Int, _ communicator: any Communicator
  ) throws(CommunicationError) -> [Int] {
    let counts = UnsafeMutableBufferPointer<Int64>.allocate(capacity: communicator.size + 1)
    defer { counts.deallocate() }
    counts.initialize(repeating: 0)
    counts[communicator.size] = Int64(ownedBlocks)
    try communicator.allGather(
      UnsafeBufferPointer(rebasing: counts[communicator.size...]),
      into: UnsafeMutableBufferPointer(rebasing: counts[..<communicator.size]))
    return counts[..<communicator.size].map(Int.init)
  }
}

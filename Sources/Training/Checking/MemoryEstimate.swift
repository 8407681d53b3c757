import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// What training takes of the memory of one rank, from plans alone: nothing is computed or allocated.
///
/// Counted is what grows with the model, the batch and the data.  Not counted are the data set, which every process has read
/// by then or maps from a file, the program with its libraries (some 50 MB a process), and what a transport buffers.
public struct MemoryEstimate: Sendable, Hashable {
  /// What memory is for.
  public enum Part: String, Sendable, CaseIterable {
    /// The model that is evaluated and kept, with its states.
    case weights
    /// The models of the rank's shards, where each trains its own, or of a federation's workers.
    case replicas
    /// Sums of shards' gradients that a rank holds at once.
    case gradients
    /// What the update rule remembers.
    case optimizer
    /// What the strategy remembers, and its messages.
    case strategy
    /// What federated clients remember, as far as it lies in memory.
    case clients
    /// Activations, packed weights and scratch memory of all threads.
    case activations
    /// Samples that are read ahead, chunks of evaluation, and the order of an epoch.
    case batches
    /// The copy of what a checkpoint holds, which is written while training goes on.
    case snapshot
  }

  private var bytesByPart: [Part: Int] = [:]

  /// Bytes of a part.
  public subscript(part: Part) -> Int { bytesByPart[part] ?? 0 }

  /// Bytes of all parts.
  public var bytes: Int { bytesByPart.values.reduce(0, +) }

  /// Parts of several ranks together.
  public static func + (left: MemoryEstimate, right: MemoryEstimate) -> MemoryEstimate {
    var sum = left
    sum.bytesByPart.merge(right.bytesByPart, uniquingKeysWith: +)
    return sum
  }

  /// An estimate of given parts, each named once.
  package init(_ parts: some Sequence<(Part, Int)>) { bytesByPart = Dictionary(uniqueKeysWithValues: parts) }

  /// An estimate of nothing, to add to.
  public init() {}

  /// The estimate of one of so many ranks, with its plans.
  init(_ prepared: PreparedExperiment, _ schedule: BatchSchedule, _ library: ProgramLibrary, rank: Int, ranks: Int) {
    let experiment = prepared.experiment
    let (layout, threads) = (prepared.model.layout, experiment.compute.threads)
    let tree = ShardTree(shards: schedule.sampler.shards)
    let share = RankShare(layout, tree, rank: rank, ranks: ranks)
    let strategy = experiment.strategy()
    let gradientStrategy = strategy as? any GradientStrategy
    let replicas = gradientStrategy == nil ? share.shards.count : 0
    let rule = (try? strategy.rule(for: experiment.optimizer.rule)) ?? experiment.optimizer.rule
    let moved = gradientStrategy?.ownedParameterCount(share) ?? layout.parameterCount * replicas
    let others = strategy.bytes(share)

    bytesByPart[.weights] = share.modelBytes
    bytesByPart[.replicas] = replicas * share.modelBytes
    // Where shards meet, all of a rank are under way at once, each with a block of its own.
    let grain = library.meetings.isEmpty ? gradientStrategy?.grain ?? .shards : .shards
    let held = (0..<threads).map { tree.shards(of: rank * threads + $0, parts: ranks * threads) }
    let blocks = held.reduce(0) {
      $0 + MemoryEstimate.blocks(tree, $1, grain, accumulates: schedule.accumulate > 1)
    }
    bytesByPart[.gradients] = 4 * GradientBlock(layout).count * blocks
    bytesByPart[.optimizer] = 4 * rule.stateNames.count * moved
    bytesByPart[.strategy] = others.remembered + others.working
    bytesByPart[.activations] = held.reduce(0) { $0 + library.poolBytes(shards: $1.count) }
    bytesByPart[.batches] = MemoryEstimate.batches(prepared, schedule, workers: min(threads, share.shards.count))
    let models = share.modelBytes * (1 + (gradientStrategy == nil ? tree.shards : 0))
    let states = 4 * rule.stateNames.count * layout.parameterCount * (gradientStrategy == nil ? tree.shards : 1)
    bytesByPart[.snapshot] = MemoryEstimate.snapshot(
      shared: models + states, own: others.remembered, model: share.modelBytes, rank: rank, ranks: ranks)
  }

  /// Blocks of gradients that a thread holds: one a sum that it leaves, those that wait within a sum, and one for a further
  /// batch of the step.
  private static func blocks(
    _ tree: ShardTree, _ shards: Range<Int>, _ grain: GradientGrain, accumulates: Bool
  ) -> Int {
    if shards.isEmpty { return 0 }
    let spare = accumulates ? 1 : 0
    guard grain == .subtrees else { return shards.count + spare }
    let pieces = tree.subtrees(in: shards)
    return pieces.count + (pieces.map(ShardTree.waiting).max() ?? 0) + spare
  }

  /// Batches that are read ahead by threads with shards, one chunk of each set for every thread, and the epoch's order.
  private static func batches(_ prepared: PreparedExperiment, _ schedule: BatchSchedule, workers: Int) -> Int {
    let (dataset, experiment) = (prepared.dataset, prepared.experiment)
    func bytes(_ samples: Int, of source: any DataSource) -> Int {
      samples * (4 * source.inputShape.count + 4 * source.targetShape.count + MemoryLayout<UInt64>.stride)
    }
    let ahead = Prefetcher.depth * bytes(schedule.sampler.largestShard, of: dataset.training)
    // Random samples come in no order.
    let order = dataset.training is RandomSource ? 0 : dataset.training.count * MemoryLayout<Int32>.stride
    let chunks = [dataset.validation, dataset.test].compactMap { $0 }.reduce(0) {
      $0 + bytes(min($1.count, experiment.training.evaluationBatch), of: $1)
    }
    return workers * (ahead + order) + experiment.compute.threads * chunks
  }

  /// What a checkpoint copies before it is written in the background: this rank's part of what is shared out among ranks, what
  /// only this rank remembers, and on rank 0 the model.
  private static func snapshot(shared: Int, own: Int, model: Int, rank: Int, ranks: Int) -> Int {
    shared / ranks + own + (rank == 0 ? model : 0)
  }
}

extension MemoryEstimate {
  /// The estimates of all ranks of a training; throws where shards, ranks and samples do not go together.
  public static func all(_ prepared: PreparedExperiment, ranks: Int) throws(RunError) -> [MemoryEstimate] {
    let schedule = try BatchSchedule(prepared, ranks: ranks)
    let stages = prepared.experiment.learning.stages
    let libraries = StageGrid.modules(of: prepared).map { ProgramLibrary(prepared, schedule, modules: $0) }
    try libraries[0].requireStatistics(
      schedule, totalSteps: schedule.totalSteps(prepared.experiment.training.length))
    return (0..<ranks).map { rank in
      MemoryEstimate(
        prepared, schedule, libraries[StageGrid.stage(of: rank, stages: stages)], rank: rank / stages,
        ranks: ranks / stages)
    }
  }
}

import Communication
import Datasets
import Layers
import Strategies
import Tensors

/// The gradient of a step: computed by the workers of this rank, summed over all ranks by the strategy.
final class ShardedGradients {
  /// What a block of gradients holds.
  let block: GradientBlock
  /// The threads of this rank.
  let team: WorkerTeam
  /// What each thread computes; there once training has begun.
  private(set) var workers: [Worker] = []
  private let prepared: PreparedExperiment
  private let tree: ShardTree
  private let schedule: BatchSchedule
  private let library: ProgramLibrary
  private let buckets: Buckets
  private let strategy: any CommunicationStrategy
  private let communicator: any Communicator
  /// How sums of workers become sums of this rank's subtrees: additions among the pieces from `first` on.
  private var merges: [(first: Int, additions: [(to: Int, from: Int)])] = []

  /// Records the programs and prepares the strategy.  All ranks call it together.
  init(
    _ prepared: PreparedExperiment, _ tree: ShardTree, _ schedule: BatchSchedule, evaluationSizes: [Int],
    _ communicator: any Communicator
  ) throws {
    self.prepared = prepared
    self.tree = tree
    self.schedule = schedule
    self.communicator = communicator
    let layout = prepared.model.layout
    block = GradientBlock(layout)
    let sizes = schedule.shardSizes
    library = ProgramLibrary(
      prepared.model, prepared.objective, prepared.experiment.learning, prepared.compute, training: sizes,
      evaluation: evaluationSizes)
    buckets = Buckets(
      layout: layout, gradientReady: library.gradientReady(sizes[0]), count: block.count,
      scalars: prepared.experiment.training.bucket)
    let needed = library.poolBytes
    let threads = prepared.experiment.compute.threads
    try Agreement.together(communicator) { () throws(RunError) in
      try MachineMemory.require(
        Double(needed) * Double(threads), for: "the activations of \(sizes[0]) samples on each of \(threads) threads",
        "lower training.batch or training.evaluation-batch, or raise training.shards")
    }
    strategy = prepared.experiment.strategy()
    try strategy.prepare(
      ExchangePlan(
        communicator: communicator, tree: tree, layout: layout, buckets: buckets.ranges, scalars: block.count))
    team = try WorkerTeam(count: prepared.experiment.compute.threads)
  }

  deinit { team.end() }

  /// Makes the workers, which start reading the samples of step `first`.
  func begin(at first: Int) throws {
    workers = try (0..<team.count).map { member in
      let part = communicator.rank * team.count + member
      return try Worker(
        shards: tree.shards(of: part, parts: communicator.size * team.count), tree: tree, library,
        source: prepared.dataset.training, schedule: schedule, firstStep: first)
    }
    let pieces = workers.flatMap(\.pieces)
    merges = tree.subtrees(in: tree.shards(of: communicator.rank, parts: communicator.size)).map { subtree in
      let inside = pieces.filter { $0.clamped(to: subtree) == $0 }
      return (pieces.firstIndex(of: inside[0]) ?? 0, tree.additions(of: inside, into: subtree))
    }
  }

  /// Computes the gradients of a step and sums them over all shards of all ranks; the block is valid until the next step.
  func sum(_ step: Worker.Step) throws -> Storage {
    if workers.count == 1 {
      let worker = workers[0]
      var next = 0
      let (buckets, strategy) = (self.buckets, self.strategy)
      try worker.computeGradients(step) { (done, complete) throws(CommunicationError) in
        while next < buckets.ranges.count, done >= buckets.ready[next] {
          complete(buckets.ranges[next])
          try strategy.gradientsReady(bucket: next, worker.sums)
          next += 1
        }
        try strategy.poll()
      }
      return try strategy.finishGradients(worker.sums)
    }
    var failures = [RunError?](repeating: nil, count: workers.count)
    failures.withUnsafeMutableBufferPointer { failures in
      let shared = Shared(failures)
      team.run { member in
        do throws(RunError) { try workers[member].computeGradients(step) } catch { shared.base[member] = error }
      }
    }
    if let failure = failures.compactMap({ $0 }).first { throw failure }
    let pieces = workers.flatMap(\.sums)
    let parts = team.parts(of: block.count)
    team.run(parts) { range in
      for merge in merges {
        for addition in merge.additions {
          VectorMath.add(
            pieces[merge.first + addition.from].base + range.lowerBound,
            to: pieces[merge.first + addition.to].base + range.lowerBound, count: range.count)
        }
      }
    }
    let sums = merges.map { pieces[$0.first] }
    for bucket in buckets.ranges.indices {
      try strategy.gradientsReady(bucket: bucket, sums)
      try strategy.poll()
    }
    return try strategy.finishGradients(sums)
  }

  /// `@unchecked Sendable`: every thread writes its own element.
  private struct Shared: @unchecked Sendable {
    let base: UnsafeMutablePointer<RunError?>

    init(_ buffer: UnsafeMutableBufferPointer<RunError?>) { base = buffer.baseAddress! }
  }
}

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
  /// The plans of the workers.
  let library: ProgramLibrary
  private let buckets: Buckets
  private let strategy: any CommunicationStrategy
  private let communicator: any Communicator
  /// What the threads work on, and what they leave: kept from step to step, so that a step allocates nothing.
  private var step: Worker.Step?
  private var pieces: [Storage] = []
  private var sums: [Storage] = []
  private let failures: UnsafeMutableBufferPointer<RunError?>
  private lazy var computation: (Int) -> Void = { [unowned self] member in compute(member) }
  private lazy var merging: (Int) -> Void = { [unowned self] member in merge(member) }
  private let mergeParts: [Range<Int>]
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
    failures = .allocate(capacity: threads)
    failures.initialize(repeating: nil)
    team = try WorkerTeam(count: threads)
    mergeParts = team.parts(of: block.count)
  }

  deinit {
    team.end()
    failures.deinitialize()
    failures.deallocate()
  }

  /// Makes the workers, which start reading the samples of step `first`.
  func begin(at first: Int) throws {
    let (source, schedule) = (prepared.dataset.training, schedule)
    try begin { shards throws(DataError) in
      let requests = StepRequests(schedule, shards: shards, first: first)
      return try Prefetcher(source, capacity: schedule.sampler.largestShard) { _ in requests.next() }
    }
  }

  /// Makes the workers; `supply` says where the batches of some shards come from.
  func begin(supply: (Range<Int>) throws(DataError) -> any BatchSupply) throws {
    workers = try (0..<team.count).map { member in
      let part = communicator.rank * team.count + member
      let shards = tree.shards(of: part, parts: communicator.size * team.count)
      return try Worker(shards: shards, tree: tree, library, supply: shards.isEmpty ? nil : supply(shards))
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
    self.step = step
    team.runStored(computation)
    for failure in failures { if let failure { throw failure } }
    pieces.removeAll(keepingCapacity: true)
    for worker in workers { pieces.append(contentsOf: worker.sums) }
    if mergeParts.count > 1 { team.runStored(merging) } else { merge(0) }
    sums.removeAll(keepingCapacity: true)
    for merge in merges { sums.append(pieces[merge.first]) }
    for bucket in buckets.ranges.indices {
      try strategy.gradientsReady(bucket: bucket, sums)
      try strategy.poll()
    }
    return try strategy.finishGradients(sums)
  }

  /// One thread's range of the additions that turn sums of workers into sums of this rank.
  private func merge(_ member: Int) {
    guard member < mergeParts.count else { return }
    let range = mergeParts[member]
    for merge in merges {
      for addition in merge.additions {
        VectorMath.add(
          pieces[merge.first + addition.from].base + range.lowerBound,
          to: pieces[merge.first + addition.to].base + range.lowerBound, count: range.count)
      }
    }
  }

  /// One thread's share of the present step; every thread writes its own element of `failures`.
  private func compute(_ member: Int) {
    guard let step else { preconditionFailure("no step to compute") }
    failures[member] = nil
    do throws(RunError) { try workers[member].computeGradients(step) } catch { failures[member] = error }
  }
}

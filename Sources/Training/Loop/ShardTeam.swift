import Communication
import Datasets
import Layers
import Learning
import Strategies
import Tensors

/// The threads of a rank and what they compute: the gradients of its shards.
final class ShardTeam {
  /// What a block of gradients holds.
  let block: GradientBlock
  /// The threads of this rank.
  let team: WorkerTeam
  /// Whether buckets are told of during the last batch; otherwise after it.
  var overlaps: Bool
  /// What each thread computes; there once training has begun.
  private(set) var workers: [Worker] = []
  /// The plans of the workers.
  let library: ProgramLibrary
  /// Ranges of a block that are exchanged one by one.
  let buckets: Buckets
  private let bucketScalars: Int
  /// The blocks that a step leaves: sums of subtrees, or gradients of single shards; always in the same memory.
  let blocks: [Storage]
  /// What is to go wrong with the gradients; nil where nothing is.
  var faults: FaultyRank?
  private let prepared: PreparedExperiment
  private let schedule: BatchSchedule
  private let tree: ShardTree
  /// What brings shards together at meetings; nil where they do not meet.
  private var meetingExchange: MeetingExchange?
  private var sideBySide: SideBySideStep?
  /// Each worker's shards, with their pieces and the blocks of those.
  private let parts: [(shards: Range<Int>, pieces: [Range<Int>], sums: [Storage])]
  private let memory: CommunicatorMemory
  /// What the threads work on and what they leave: kept from step to step, so that a step allocates nothing.
  private var step: Worker.Step?
  private let pieces: [Storage]
  private let failures: UnsafeMutableBufferPointer<RunError?>
  private lazy var computation: (Int) -> Void = { [unowned self] member in compute(member) }
  private lazy var merging: (Int) -> Void = { [unowned self] member in merge(member) }
  private let mergeParts: [Range<Int>]
  /// What this rank's sums are sums of.
  private let rankPieces: [Range<Int>]
  /// How sums of workers become sums of this rank's subtrees: additions among the pieces from `first` on.
  private let merges: [(first: Int, additions: [(to: Int, from: Int)])]

  /// Makes room for gradients.  All ranks call it together.
  init(
    _ prepared: PreparedExperiment, _ tree: ShardTree, _ schedule: BatchSchedule, grain: GradientGrain,
    _ library: ProgramLibrary, _ communicator: any Communicator
  ) throws {
    self.prepared = prepared
    self.schedule = schedule
    self.tree = tree
    let layout = prepared.model.layout
    let block = GradientBlock(layout)
    self.block = block
    // Phases know different gradients first.
    overlaps = prepared.experiment.training.overlap && prepared.learning.phases == 1
    let threads = prepared.experiment.compute.threads
    self.library = library
    bucketScalars = prepared.experiment.training.bucket ?? Buckets.size(for: block.count)
    buckets = Buckets(
      layout: layout, gradientReady: library.gradientReady(schedule.shardSizes[0]), count: block.count,
      scalars: bucketScalars,
      owned: prepared.learning.phases == 1 ? library.owned : nil)
    let held = (0..<threads).map { member in
      tree.shards(of: communicator.rank * threads + member, parts: communicator.size * threads)
    }
    func pieces(_ shards: Range<Int>) -> [Range<Int>] {
      switch grain {
      case .subtrees: tree.subtrees(in: shards)
      case .shards: shards.map { $0..<$0 + 1 }
      }
    }
    let stride = (block.count + 15) / 16 * 16
    let memory = try communicator.allocate(byteCount: 4 * stride * held.reduce(0) { $0 + pieces($1).count })
    self.memory = memory
    var used = 0
    parts = held.map { shards in
      let pieces = pieces(shards)
      let sums = pieces.map { _ in
        defer { used += stride }
        return Storage(wrapping: memory.base.assumingMemoryBound(to: Float.self) + used, count: block.count)
      }
      return (shards, pieces, sums)
    }
    let ranges = parts.flatMap(\.pieces)
    let sums = parts.flatMap(\.sums)
    rankPieces = pieces(tree.shards(of: communicator.rank, parts: communicator.size))
    merges = rankPieces.map { piece in
      let inside = ranges.filter { $0.clamped(to: piece) == $0 }
      return (ranges.firstIndex(of: inside[0]) ?? 0, tree.additions(of: inside, into: piece))
    }
    self.pieces = sums
    blocks = merges.map { sums[$0.first] }
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
    let (source, schedule, meets) = (prepared.dataset.training, schedule, !library.meetings.isEmpty)
    try begin { shards throws(DataError) in
      let requests = StepRequests(schedule, shards: shards, first: first, sideBySide: meets)
      return try Prefetcher(
        source, capacity: schedule.sampler.largestShard, depth: meets ? shards.count + 2 : 3
      ) { _ in requests.next() }
    }
  }

  /// Makes the workers; `supply` says where the batches of some shards come from.
  func begin(supply: (Range<Int>) throws(DataError) -> any BatchSupply) throws {
    workers = try parts.map { part in
      Worker(
        shards: part.shards, pieces: part.pieces, sums: part.sums, library,
        supply: part.shards.isEmpty ? nil : try supply(part.shards))
    }
    sideBySide = meetingExchange.map { exchange in
      SideBySideStep(
        workers, team, pieces: rankPieces, tree, buckets, meetings: library.meetings(buckets, scalars: bucketScalars),
        exchange)
    }
  }

  /// Makes ready for meetings, if there are any, along what a strategy knows; before `begin`.
  func prepareMeetings(_ plan: ExchangePlan) {
    if !library.meetings.isEmpty { meetingExchange = MeetingExchange(plan, library.meetings) }
  }

  /// Payload bytes that this rank sends at the meetings of a step, by formula.
  func meetingBytes(step: Int) -> Int { schedule.batches(step).count * (meetingExchange?.bytesSent ?? 0) }

  /// Computes the gradients of a step into `blocks`.  `ready` is told, in order, of each bucket that is final in all of
  /// them, during the last batch where one thread computes; `poll` is called between operations.
  func compute(
    _ step: Worker.Step, ready: (_ bucket: Int) throws(CommunicationError) -> Void,
    poll: () throws(CommunicationError) -> Void
  ) throws {
    func announce(_ bucket: Int) throws(CommunicationError) {
      try faults?.gradientsReady(buckets.ranges[bucket], of: rankPieces, blocks, block)
      try ready(bucket)
    }
    if let sideBySide { return try sideBySide.compute(step, overlaps: overlaps, ready: announce, poll: poll) }
    if workers.count == 1, overlaps {
      var next = 0
      let buckets = buckets
      return try workers[0].computeGradients(step) { (done, complete) throws(CommunicationError) in
        while next < buckets.ranges.count, done >= buckets.ready[next] {
          complete(buckets.ranges[next])
          try announce(next)
          next += 1
        }
        try poll()
      }
    }
    self.step = step
    team.runStored(computation)
    for failure in failures { if let failure { throw failure } }
    self.step = nil
    if mergeParts.count > 1 { team.runStored(merging) } else { merge(0) }
    for bucket in buckets.ranges.indices {
      try announce(bucket)
      try poll()
    }
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

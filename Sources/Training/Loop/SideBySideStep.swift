import Communication
import Strategies
import Tensors

/// A step of a model in which shards meet (see ``Meeting``): the shards of all ranks go from meeting to meeting together.
///
/// Buckets are exchanged as soon as their gradients are final on every size of shard, told by the meetings that lie behind,
/// so that every rank starts exchanges and meetings in the same order.
final class SideBySideStep {
  private let workers: [Worker]
  private let lanes: [ShardLane]
  private let team: WorkerTeam
  private let exchange: MeetingExchange
  private let buckets: [Range<Int>]
  /// For each bucket, the meetings after which its gradients are final.
  private let meetings: [Int]
  /// Additions among lanes that leave the sums of this rank's pieces.
  private let additions: [(to: Int, from: Int)]
  /// For each bucket, the ranges that threads add.
  private let parts: [[Range<Int>]]

  /// What the threads do at once; kept so that a step allocates nothing.
  private enum Phase {
    case begin(batch: Int)
    case advance(meeting: Int)
    case settle
    case complete(bucket: Int)
    case end(adds: Bool)
  }
  private var phase = Phase.settle
  private var step: Worker.Step?
  private let failures: UnsafeMutableBufferPointer<RunError?>
  private lazy var work: (Int) -> Void = { [unowned self] member in perform(member) }

  /// The steps of `workers`, whose lanes' gradients are added into `pieces`, ranges of this rank's shards.
  init(
    _ workers: [Worker], _ team: WorkerTeam, pieces: [Range<Int>], _ tree: ShardTree, _ buckets: Buckets,
    meetings: [Int], _ exchange: MeetingExchange
  ) {
    self.workers = workers
    self.team = team
    self.exchange = exchange
    self.buckets = buckets.ranges
    self.meetings = meetings
    lanes = workers.flatMap(\.lanes)
    let first = pieces[0].lowerBound
    additions = pieces.flatMap { piece in
      tree.additions(of: piece.map { $0..<$0 + 1 }, into: piece).map { addition in
        (piece.lowerBound - first + addition.to, piece.lowerBound - first + addition.from)
      }
    }
    parts = buckets.ranges.map { bucket in
      team.parts(of: bucket.count).map { bucket.lowerBound + $0.lowerBound..<bucket.lowerBound + $0.upperBound }
    }
    failures = .allocate(capacity: workers.count)
    failures.initialize(repeating: nil)
  }

  deinit {
    failures.deinitialize()
    failures.deallocate()
  }

  /// Computes the gradients of a step; `ready` is told in order of each bucket that is final, during the last batch where
  /// `overlaps`, else after it; `poll` is called at meetings.
  func compute(
    _ step: Worker.Step, overlaps: Bool, ready: (_ bucket: Int) throws(CommunicationError) -> Void,
    poll: () throws(CommunicationError) -> Void
  ) throws {
    self.step = step
    var next = 0
    for batch in 0..<step.batches {
      let isLast = batch == step.batches - 1
      try run(.begin(batch: batch))
      for meeting in exchange.meetings.indices {
        try exchange.meet(meeting)
        while isLast, overlaps, next < buckets.count, meetings[next] <= meeting {
          try complete(next, ready)
          next += 1
        }
        try poll()
        try run(.advance(meeting: meeting + 1))
      }
      if !isLast {
        try run(.settle)
        try run(.end(adds: true))
      }
    }
    while next < buckets.count {
      try complete(next, ready)
      try poll()
      next += 1
    }
    try run(.end(adds: false))
  }

  /// Adds a bucket of all lanes, and tells that it is final.
  private func complete(
    _ bucket: Int, _ ready: (_ bucket: Int) throws(CommunicationError) -> Void
  ) throws {
    if bucket == 0 { try run(.settle) }
    try run(.complete(bucket: bucket))
    try ready(bucket)
  }

  private func run(_ phase: Phase) throws {
    self.phase = phase
    if case .complete(let bucket) = phase, parts[bucket].count == 1 { return perform(0) }
    team.runStored(work)
    for failure in failures { if let failure { throw failure } }
  }

  /// One thread's share of the present phase; every thread writes its own element of `failures`.
  private func perform(_ member: Int) {
    guard let step else { preconditionFailure("no step to compute") }
    let first = lanes.first?.shard ?? 0
    switch phase {
    case .begin(let batch):
      failures[member] = nil
      do throws(RunError) { try workers[member].begin(step, batch: batch, exchange, firstShard: first) } catch {
        failures[member] = error
      }
    case .advance(let meeting): workers[member].advance(to: meeting, exchange, firstShard: first)
    case .settle: workers[member].settle(step)
    case .complete(let bucket):
      guard member < parts[bucket].count else { return }
      let range = parts[bucket][member]
      for lane in lanes { lane.add(range) }
      for (to, from) in additions {
        VectorMath.add(
          lanes[from].leaf.base + range.lowerBound, to: lanes[to].leaf.base + range.lowerBound, count: range.count)
      }
    case .end(let adds): workers[member].end(adds: adds)
    }
  }
}

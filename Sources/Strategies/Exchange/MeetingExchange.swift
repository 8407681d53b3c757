import Communication
import Tensors

/// Brings together what the shards of all ranks leave at a ``Meeting``, in the order of `ShardTree`.
///
/// A rank combines what the subtrees that it holds whole have left; every rank gathers these and combines the rest for itself.
/// That is one exchange where a sum by owners takes two, and Float64, which counts more for short vectors than their bytes.
///
/// Sends a meeting of n numbers, with k subtrees held by the rank and p ranks, as 8n·k·(p − 1) bytes.
public final class MeetingExchange {
  /// The meetings of a program.
  public let meetings: [Meeting]
  private let communicator: any Communicator
  /// Numbers between those of two shards, enough for the largest meeting.
  private let stride: Int
  /// What the shards of this rank have left.
  private let own: UnsafeMutablePointer<Double>
  /// Additions among shards of this rank, and where the results then lie.
  private let additions: [(to: Int, from: Int)]
  private let heads: [Int]
  /// Subtrees of each rank, and what they have left.
  private let subtrees: [Int]
  private let gathered: UnsafeMutablePointer<Double>
  private let remainder: [(to: Int, from: Int)]
  /// By meeting, numbers of each rank.
  private let counts: [[Int]]

  /// The meetings of a program that all shards run.
  public init(_ plan: ExchangePlan, _ meetings: [Meeting]) {
    self.meetings = meetings
    communicator = plan.communicator
    let pieces = (0..<communicator.size).map { plan.subtrees(of: $0) }
    let first = plan.shards.lowerBound
    heads = pieces[communicator.rank].map { $0.lowerBound - first }
    additions = pieces[communicator.rank].flatMap { piece in
      plan.tree.additions(of: piece.map { $0..<$0 + 1 }, into: piece).map { addition in
        (piece.lowerBound - first + addition.to, piece.lowerBound - first + addition.from)
      }
    }
    subtrees = pieces.map(\.count)
    remainder = plan.tree.additions(of: pieces.flatMap { $0 }, into: 0..<plan.tree.shards)
    counts = meetings.map { meeting in pieces.map { $0.count * meeting.count } }
    stride = meetings.map(\.count).max() ?? 0
    own = .allocate(capacity: max(1, stride * plan.shards.count))
    own.initialize(repeating: 0, count: max(1, stride * plan.shards.count))
    let all = max(1, stride * subtrees.reduce(0, +))
    gathered = .allocate(capacity: all)
    gathered.initialize(repeating: 0, count: all)
  }

  deinit {
    own.deallocate()
    gathered.deallocate()
  }

  /// Where one of this rank's shards, counted from its first, leaves its numbers; all zero where it has no samples.
  public func place(ofShard index: Int) -> UnsafeMutablePointer<Double> { own + index * stride }

  /// The numbers of the whole batch after `meet`, until the next.
  public var result: UnsafePointer<Double> { UnsafePointer(gathered) }

  /// Combines what all shards have left.  Collective.
  public func meet(_ index: Int) throws(CommunicationError) {
    let meeting = meetings[index]
    let count = meeting.count
    for (to, from) in additions { meeting.combine(place(ofShard: from), into: place(ofShard: to)) }
    let mine = gathered + counts[index][..<communicator.rank].reduce(0, +)
    for (position, head) in heads.enumerated() {
      (mine + position * count).update(from: place(ofShard: head), count: count)
    }
    if communicator.size > 1 {
      let total = count * subtrees.reduce(0, +)
      try communicator.allGather(
        UnsafeBufferPointer(start: mine, count: counts[index][communicator.rank]),
        into: UnsafeMutableBufferPointer(start: gathered, count: total), counts: counts[index])
    }
    for (to, from) in remainder { meeting.combine(gathered + from * count, into: gathered + to * count) }
  }

  /// Bytes that this rank sends for all meetings of one batch.
  public var bytesSent: Int {
    8 * (communicator.size - 1) * counts.reduce(0) { $0 + $1[communicator.rank] }
  }
}

import Communication
import Configuration
import Tensors

/// Adds the gradients of all shards, in the one order of `ShardTree`: the textbook method, with bits that do not depend on
/// the number of ranks.
///
/// Each bucket is cut into one part a rank.  A rank sends the sums of its subtrees to the owner of each part (all-to-all);
/// the owner adds them in the order of the tree and gives the result to everybody (all-gather).
/// Sends per step and rank, with k sums a rank (1 where ranks divide shards evenly into powers of two) and n scalars:
/// 4n·(k + 1)·(p − 1)/p bytes, as much as a ring all-reduce where k = 1.  State: none.
public final class AllReduce: CommunicationStrategy {
  /// The name in configurations.
  public static let name = "allreduce"
  /// What it does.
  public static let help = "adds the gradients of all shards, every step"

  private enum Phase { case idle, scattering(Request), gathering(Request), done }

  /// One bucket's way: what this rank sends and receives, and the part that it adds up.
  private struct Transfer {
    let range: Range<Int>
    let partSizes: [Int]
    let sendCounts: [Int]
    let receiveCounts: [Int]
    let outgoing: Storage
    let incoming: Storage
    var phase = Phase.idle
  }

  private var plan: ExchangePlan?
  /// All-gathers have a group of their own: ranks finish all-to-alls at different moments, and within a group the order of
  /// calls must be the same everywhere.
  private var gatherers: (any Communicator)?
  private var result = Storage(zeros: 0)
  private var transfers: [Transfer] = []
  private var additions: [(to: Int, from: Int)] = []
  private var pieceStarts: [[Int]] = []

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Allocates the buffers of every bucket.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    self.plan = plan
    let (rank, ranks) = (plan.communicator.rank, plan.communicator.size)
    guard ranks > 1 else { return }
    gatherers = try plan.communicator.split(color: 0, key: rank)
    let pieces = (0..<ranks).map(plan.subtrees(of:))
    additions = plan.tree.additions(of: pieces.flatMap { $0 }, into: 0..<plan.tree.shards)
    result = Storage(zeros: plan.scalars)
    transfers = plan.buckets.map { range in
      let sizes = AllReduce.parts(range.count, ranks)
      let held = pieces[rank].count
      let received = pieces.map { $0.count * sizes[rank] }
      return Transfer(
        range: range, partSizes: sizes, sendCounts: sizes.map { held * $0 }, receiveCounts: received,
        outgoing: Storage(zeros: held == 1 ? 0 : held * range.count),
        incoming: Storage(zeros: received.reduce(0, +)))
    }
    pieceStarts = transfers.map { transfer in
      (0..<pieces.flatMap { $0 }.count).map { $0 * transfer.partSizes[rank] }
    }
  }

  /// Parts of a bucket, multiples of a cache line but for the last.
  private static func parts(_ count: Int, _ ranks: Int) -> [Int] {
    let lines = (count + 15) / 16
    return (0..<ranks).map { rank in
      min(count, (rank + 1) * lines / ranks * 16) - min(count, rank * lines / ranks * 16)
    }
  }

  /// Starts sending a bucket to the owners of its parts.
  public func gradientsReady(bucket: Int, _ sums: [Storage]) throws(CommunicationError) {
    guard let plan, plan.communicator.size > 1 else { return }
    let transfer = transfers[bucket]
    let count = transfer.range.count
    var source = UnsafePointer(transfer.outgoing.base)
    if sums.count == 1 {
      source = UnsafePointer(sums[0].base + transfer.range.lowerBound)
    } else {
      var target = transfer.outgoing.base
      var start = transfer.range.lowerBound
      for size in transfer.partSizes {
        for sum in sums {
          target.update(from: sum.base + start, count: size)
          target += size
        }
        start += size
      }
    }
    let request = try plan.communicator.startAllToAll(
      UnsafeBufferPointer(start: source, count: sums.count * count), sendCounts: transfer.sendCounts,
      into: transfer.incoming.scalars, receiveCounts: transfer.receiveCounts)
    transfers[bucket].phase = .scattering(request)
  }

  /// Adds and passes on what has arrived, in order of buckets.
  public func poll() throws(CommunicationError) {
    guard let plan, let gatherers else { return }
    for bucket in transfers.indices {
      switch transfers[bucket].phase {
      case .scattering(let request):
        guard try plan.communicator.test(request) else { return }
        try gather(bucket, request, plan, gatherers)
      case .gathering(let request):
        _ = try gatherers.test(request)
      case .idle: return
      case .done: continue
      }
    }
  }

  /// Adds the sums of this rank's part in the order of the tree and starts giving it to everybody.
  private func gather(
    _ bucket: Int, _ request: Request, _ plan: ExchangePlan, _ gatherers: any Communicator
  ) throws(CommunicationError) {
    try plan.communicator.wait(request)
    let transfer = transfers[bucket]
    let size = transfer.partSizes[plan.communicator.rank]
    let incoming = transfer.incoming.base
    for addition in additions {
      let target = incoming + pieceStarts[bucket][addition.to]
      VectorMath.add(incoming + pieceStarts[bucket][addition.from], to: target, count: size)
    }
    let output = UnsafeMutableBufferPointer(
      start: result.base + transfer.range.lowerBound, count: transfer.range.count)
    transfers[bucket].phase = .gathering(
      try gatherers.startAllGather(
        UnsafeBufferPointer(start: incoming, count: size), into: output, counts: transfer.partSizes))
  }

  /// Waits for every bucket.  With one rank, the sum it holds is the result.
  public func finishGradients(_ sums: [Storage]) throws(CommunicationError) -> Storage {
    guard let plan, let gatherers else { return sums[0] }
    for bucket in transfers.indices {
      if case .scattering(let request) = transfers[bucket].phase { try gather(bucket, request, plan, gatherers) }
    }
    for bucket in transfers.indices {
      if case .gathering(let request) = transfers[bucket].phase { try gatherers.wait(request) }
      transfers[bucket].phase = .idle
    }
    return result
  }
}

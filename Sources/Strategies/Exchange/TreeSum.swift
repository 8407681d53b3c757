import Communication
import Tensors

/// Adds ranges of blocks over all shards of all ranks in the order of `ShardTree`, in place: afterwards the first block of
/// every rank holds the total of each range, and its other blocks are used up.
///
/// Sends a range of n scalars, with k blocks a rank and p ranks, as 4n·(k + 1)·(p − 1)/p bytes: exactly those of
/// ``Communicator/treeReduce(_:count:tree:)``.
public final class TreeSum {
  /// The ranges, in the order in which they are started.
  public let ranges: [Range<Int>]
  private let communicator: any Communicator
  private let tree: ReductionTree
  private let blocks: Int
  private var requests: [Request?]
  /// The places of one range in all blocks, range by range: they must stay where they are until a sum is done.
  private let places: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>

  /// Sums of ranges of the blocks that each rank has: one for each of its subtrees, or one for each of its shards.
  public init(_ plan: ExchangePlan, _ ranges: [Range<Int>], of grain: GradientGrain) {
    self.ranges = ranges
    communicator = plan.communicator
    let pieces = (0..<communicator.size).map { rank in
      switch grain {
      case .subtrees: plan.subtrees(of: rank)
      case .shards: plan.tree.shards(of: rank, parts: plan.communicator.size).map { $0..<$0 + 1 }
      }
    }
    blocks = pieces[communicator.rank].count
    tree = ReductionTree(
      blocks: pieces.map(\.count),
      additions: plan.tree.additions(of: pieces.flatMap { $0 }, into: 0..<plan.tree.shards))
    requests = Array(repeating: nil, count: ranges.count)
    places = .allocate(capacity: max(1, blocks * ranges.count))
  }

  deinit { places.deallocate() }

  /// Starts the sum of one range; ranges are started in the same order on every rank.
  public func start(_ index: Int, _ blocks: [Storage]) throws(CommunicationError) {
    if ranges[index].isEmpty { return }
    precondition(blocks.count == self.blocks, "\(blocks.count) blocks where \(self.blocks) are summed")
    let places = UnsafeMutableBufferPointer(rebasing: places[index * self.blocks..<(index + 1) * self.blocks])
    for (place, block) in blocks.enumerated() {
      (places.baseAddress! + place).initialize(to: block.base + ranges[index].lowerBound)
    }
    requests[index] = try communicator.startTreeReduce(
      UnsafeBufferPointer(places), count: ranges[index].count, tree: tree, label: index)
  }

  /// Moves what was started along.
  public func poll() throws(CommunicationError) {
    for case .some(let request) in requests { return _ = try communicator.test(request) }
  }

  /// Waits for one range, if it was started.
  public func finish(_ index: Int) throws(CommunicationError) {
    guard let request = requests[index] else { return }
    try communicator.wait(request)
    requests[index] = nil
  }

  /// Waits for everything that was started.
  public func finish() throws(CommunicationError) {
    for index in requests.indices { try finish(index) }
  }

  /// Bytes that this rank sends for all ranges.
  public var bytesSent: Int { ranges.indices.reduce(0) { $0 + bytesSent(for: $1) } }

  /// Bytes that this rank sends for one range.
  public func bytesSent(for index: Int) -> Int {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let count = ranges[index].count
    let owned = Parts.lines(count, over: ranks).count(of: rank)
    return 4 * (tree.blocks[rank] * (count - owned) + (ranks - 1) * owned)
  }
}

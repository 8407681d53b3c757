import Communication
import Tensors

/// The mean over all replicas of a vector that each has, in the order of `ShardTree`: for ranges that are averaged one by
/// one, or all at once.
///
/// Sends a range of n scalars as 4n·(k + 1)·(p − 1)/p bytes, with k subtrees a rank and p ranks.  Memory: a copy of the
/// vector for each subtree and for the longest way down the tree.
public final class ReplicaMean {
  /// Scalars of a vector.
  public let count: Int
  private let sum: TreeSum
  private let shards: Range<Int>
  private let pieces: [Range<Int>]
  private let blocks: [Storage]
  private let scratch: [Storage]
  private let divisor: Float
  /// Ranges that were started and are not finished.
  private var started: [Int] = []
  private let owner: CommunicatorMemory

  /// Means of ranges of vectors that reach to the end of the last range; with a `divisor`, sums divided by that.  Collective.
  public init(_ plan: ExchangePlan, _ ranges: [Range<Int>], divisor: Float? = nil) throws(CommunicationError) {
    sum = TreeSum(plan, ranges, of: .subtrees)
    shards = plan.shards
    pieces = plan.subtrees(of: plan.communicator.rank)
    self.divisor = divisor ?? Float(plan.tree.shards)
    let count = ranges.map(\.upperBound).max() ?? 0
    self.count = count
    let stride = (count + 15) / 16 * 16
    let owner = try plan.communicator.allocate(byteCount: 4 * stride * pieces.count)
    self.owner = owner
    blocks = pieces.indices.map { index in
      Storage(wrapping: owner.base.assumingMemoryBound(to: Float.self) + index * stride, count: count)
    }
    scratch = (0..<(pieces.map(ShardTree.waiting).max() ?? 0)).map { _ in Storage(zeros: count) }
  }

  /// Copies of the vector that a rank holds.
  static func copies(_ share: RankShare) -> Int {
    share.subtrees.count + (share.subtrees.map(ShardTree.waiting).max() ?? 0)
  }

  /// Sums a range of this rank's vectors and starts adding those of the others; `fill` writes the vector of a shard into a
  /// place that stands for the range's first scalar.
  public func start(
    _ index: Int, fill: (_ shard: Int, _ target: UnsafeMutablePointer<Float>) -> Void
  ) throws(CommunicationError) {
    let range = sum.ranges[index]
    for (piece, block) in zip(pieces, blocks) { add(piece, range, into: block, depth: 0, fill) }
    try sum.start(index, blocks)
    started.append(index)
  }

  private func add(
    _ node: Range<Int>, _ range: Range<Int>, into block: Storage, depth: Int,
    _ fill: (_ shard: Int, _ target: UnsafeMutablePointer<Float>) -> Void
  ) {
    let target = block.base + range.lowerBound
    if node.count == 1 { return fill(node.lowerBound, target) }
    let middle = ShardTree.middle(node)
    add(node.lowerBound..<middle, range, into: block, depth: depth, fill)
    add(middle..<node.upperBound, range, into: scratch[depth], depth: depth + 1, fill)
    VectorMath.add(scratch[depth].base + range.lowerBound, to: target, count: range.count)
  }

  /// Moves what was started along.
  public func poll() throws(CommunicationError) { try sum.poll() }

  /// Waits for everything that was started and divides.
  public func finish() throws(CommunicationError) {
    try sum.finish()
    for index in started { divide(sum.ranges[index]) }
    started.removeAll(keepingCapacity: true)
  }

  private func divide(_ range: Range<Int>) {
    let (y, divisor) = (blocks[0].base + range.lowerBound, divisor)
    var i = 0
    while i < range.count {
      y[i] /= divisor
      i &+= 1
    }
  }

  /// The mean of a range that is finished, until it is started anew.
  public func mean(of index: Int) -> UnsafePointer<Float> {
    UnsafePointer(blocks[0].base + sum.ranges[index].lowerBound)
  }

  /// Writes the mean of a range that is finished.
  public func copy(_ index: Int, to target: UnsafeMutablePointer<Float>) {
    target.update(from: mean(of: index), count: sum.ranges[index].count)
  }

  /// Bytes that this rank sends for all ranges together.
  public var bytesSent: Int { sum.bytesSent }

  /// Bytes that this rank sends for one range.
  public func bytesSent(for index: Int) -> Int { sum.bytesSent(for: index) }
}

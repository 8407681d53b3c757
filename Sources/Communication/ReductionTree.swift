/// The order in which the blocks of all ranks are added.
///
/// Blocks are numbered rank by rank. Who adds, and on which transport, changes no bit of the sum.
public final class ReductionTree: Sendable {
  /// Blocks that each rank brings.
  public let blocks: [Int]
  /// Block `from` is added to block `to`, in this order; the sum ends in block 0.
  public let additions: [(to: Int, from: Int)]
  /// The number of each rank's first block; behind the last rank's, the number of all blocks.
  package let firstBlocks: [Int]
  /// Equal for equal trees.
  package let fingerprint: Fingerprint

  /// A tree over `blocks[r]` ≥ 1 blocks of every rank r. Every block but 0 is added to another once, and is not used again.
  public init(blocks: [Int], additions: [(to: Int, from: Int)]) {
    precondition(!blocks.isEmpty && blocks.allSatisfy { $0 > 0 }, "ranks with \(blocks) blocks")
    let firstBlocks = blocks.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let count = firstBlocks[blocks.count]
    precondition(additions.count == count - 1, "\(additions.count) additions of \(count) blocks")
    var isLeft = Array(repeating: true, count: count)
    var fingerprint = Fingerprint()
    for count in blocks { fingerprint.mix(count) }
    for (to, from) in additions {
      precondition(
        to >= 0 && to < count && from > 0 && from < count && to != from && isLeft[to] && isLeft[from],
        "block \(from) cannot be added to block \(to)")
      isLeft[from] = false
      fingerprint.mix(to)
      fingerprint.mix(from)
    }
    self.blocks = blocks
    largestBlocks = blocks.max() ?? 0
    self.additions = additions
    self.firstBlocks = firstBlocks
    self.fingerprint = fingerprint
  }

  /// The most blocks that a rank brings.
  package let largestBlocks: Int

  /// Blocks of all ranks.
  package var count: Int { firstBlocks[blocks.count] }

  /// Does all additions for some elements of the blocks at `blocks`; block 0 then has the sum.
  package func add(_ blocks: UnsafePointer<UnsafeMutablePointer<Float>>, from start: Int, count: Int) {
    for (to, from) in additions {
      Reduction.sum.fold(blocks[from] + start, into: blocks[to] + start, count: count, type: .float)
    }
  }

  /// Elements added at once: as many as let several blocks stay in the second-level cache.
  package static let chunk = 4_096
}

import Communication

/// A tree of additions, cut at the borders of hosts: what one host adds by itself, and the tree of what is then left.
///
/// A host adds early, in their order, what has no block of another host in it. No such addition waits for one that has, so
/// the bits are those of the whole tree.
final class HostPlan {
  /// Additions within the host; blocks are numbered from the host's first.
  let additions: [(to: Int, from: Int)]
  /// The host's blocks that are left after them, numbered from its first.
  let pieces: [Int]
  /// The additions of what is left, with the hosts in place of ranks.
  let rest: ReductionTree
  /// Blocks that each rank of the host brings, and the number of its first from the host's first.
  let blocks: [Int]
  let firstBlocks: [Int]
  /// Blocks of the host.
  let count: Int

  init(_ tree: ReductionTree, _ layout: HostLayout, host: Int) {
    let ends = (0...layout.hosts).map { tree.firstBlocks[$0 * layout.ranksPerHost] }
    let first = ends[host]
    /// The host whose blocks are in the sum so far; nil once there are several's.
    var owners: [Int?] = (0..<layout.hosts).flatMap { Array(repeating: $0, count: ends[$0 + 1] - ends[$0]) }
    var isLeft = Array(repeating: true, count: tree.count)
    var within: [(to: Int, from: Int)] = []
    var across: [(to: Int, from: Int)] = []
    for (to, from) in tree.additions {
      if let owner = owners[to], owner == owners[from] {
        isLeft[from] = false
        if owner == host { within.append((to - first, from - first)) }
      } else {
        owners[to] = nil
        across.append((to, from))
      }
    }
    let left = (0..<layout.hosts).map { (ends[$0]..<ends[$0 + 1]).filter { isLeft[$0] } }
    var numbers = Array(repeating: 0, count: tree.count)
    for (number, block) in left.joined().enumerated() { numbers[block] = number }
    additions = within
    pieces = left[host].map { $0 - first }
    rest = ReductionTree(
      blocks: left.map(\.count), additions: across.map { (to: numbers[$0.to], from: numbers[$0.from]) })
    let ranks = layout.ranks(of: host)
    blocks = ranks.map { tree.blocks[$0] }
    firstBlocks = ranks.map { tree.firstBlocks[$0] - first }
    count = ends[host + 1] - first
  }
}

/// The one order in which the gradients of logical shards are added, whoever computes them.
///
/// T[a, b) = T[a, m) + T[m, b), where m − a is the largest power of two below b − a.  A rank holds consecutive shards; it
/// sums every subtree that it holds whole, and what remains is summed by whoever owns the range of scalars.
public struct ShardTree: Sendable, Hashable {
  /// Logical shards, the leaves.
  public let shards: Int

  /// A tree of at least one shard.
  public init(shards: Int) {
    precondition(shards > 0, "a tree of \(shards) shards")
    self.shards = shards
  }

  /// The shards that part `index` of `parts` holds: ⌊index·S/parts⌋ ..< ⌊(index + 1)·S/parts⌋.
  public func shards(of index: Int, parts: Int) -> Range<Int> {
    precondition(parts > 0 && index >= 0 && index < parts, "part \(index) of \(parts)")
    return (index * shards / parts)..<((index + 1) * shards / parts)
  }

  /// Where a node of several shards is cut.
  public static func middle(_ node: Range<Int>) -> Int {
    precondition(node.count > 1, "a leaf has no middle")
    return node.lowerBound + 1 << (Int.bitWidth - 1 - (node.count - 1).leadingZeroBitCount)
  }

  /// The largest nodes of the tree that lie wholly within `part`, left to right.
  public func subtrees(in part: Range<Int>) -> [Range<Int>] { subtrees(of: 0..<shards, in: part) }

  private func subtrees(of node: Range<Int>, in part: Range<Int>) -> [Range<Int>] {
    if node.clamped(to: part) == node { return [node] }
    if node.count == 1 || !node.overlaps(part) { return [] }
    let middle = ShardTree.middle(node)
    return subtrees(of: node.lowerBound..<middle, in: part) + subtrees(of: middle..<node.upperBound, in: part)
  }

  /// Sums that wait for their right neighbours, at most, while the leaves of a node are added from left to right.
  public static func waiting(_ node: Range<Int>) -> Int {
    if node.count <= 1 { return 0 }
    let middle = middle(node)
    return max(waiting(node.lowerBound..<middle), 1 + waiting(middle..<node.upperBound))
  }

  /// Additions that turn the sums of `pieces`, nodes that cover `whole` from left to right, into the sum of `whole`: the
  /// sum of piece `from` is added to piece `to`, in this order; the result lies in piece 0.
  public func additions(of pieces: [Range<Int>], into whole: Range<Int>) -> [(to: Int, from: Int)] {
    var additions: [(to: Int, from: Int)] = []
    _ = combine(whole, pieces, &additions)
    return additions
  }

  private func combine(
    _ node: Range<Int>, _ pieces: [Range<Int>], _ additions: inout [(to: Int, from: Int)]
  ) -> Int {
    if let index = pieces.firstIndex(of: node) { return index }
    precondition(node.count > 1, "no piece covers shard \(node.lowerBound)")
    let middle = ShardTree.middle(node)
    let left = combine(node.lowerBound..<middle, pieces, &additions)
    let right = combine(middle..<node.upperBound, pieces, &additions)
    additions.append((to: left, from: right))
    return left
  }
}

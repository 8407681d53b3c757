import Strategies
import Testing

@Suite("The tree of shards")
struct ShardTreeTests {
  @Test("Parts are consecutive, cover all shards and differ by one at most", arguments: 1...33)
  func parts(shards: Int) {
    let tree = ShardTree(shards: shards)
    for parts in 1...shards {
      let held = (0..<parts).map { tree.shards(of: $0, parts: parts) }
      #expect(held.flatMap { $0 } == Array(0..<shards))
      let sizes = held.map(\.count)
      #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
      #expect(sizes.allSatisfy { $0 > 0 })
    }
  }

  @Test("More parts than shards leave some empty, and still cover all")
  func moreParts() {
    let tree = ShardTree(shards: 3)
    #expect((0..<8).flatMap { tree.shards(of: $0, parts: 8) } == [0, 1, 2])
  }

  /// Every node of the tree, by the definition.
  private func nodes(_ node: Range<Int>) -> Set<Range<Int>> {
    if node.count == 1 { return [node] }
    var half = 1
    while 2 * half < node.count { half *= 2 }
    let middle = node.lowerBound + half
    return nodes(node.lowerBound..<middle).union(nodes(middle..<node.upperBound)).union([node])
  }

  @Test("A node is cut at the largest power of two below its size", arguments: 2...33)
  func middle(count: Int) {
    for start in [0, 1, 5, 32] {
      let left = ShardTree.middle(start..<start + count) - start
      #expect(left & (left - 1) == 0)
      #expect(left < count && 2 * left >= count)
    }
  }

  @Test(
    "The subtrees of any stretch are nodes, cover it from left to right, and none could be larger", arguments: 1...33)
  func subtrees(shards: Int) {
    let tree = ShardTree(shards: shards)
    let nodes = nodes(0..<shards)
    for start in 0..<shards {
      for end in start + 1...shards {
        let found = tree.subtrees(in: start..<end)
        #expect(found.flatMap { $0 } == Array(start..<end))
        #expect(found.allSatisfy(nodes.contains))
        for piece in found {
          let larger = nodes.filter {
            $0 != piece && $0.lowerBound <= piece.lowerBound && $0.upperBound >= piece.upperBound
          }
          #expect(larger.allSatisfy { $0.lowerBound < start || $0.upperBound > end })
        }
      }
    }
    #expect(tree.subtrees(in: 0..<shards) == [0..<shards])
    #expect(tree.subtrees(in: 0..<0).isEmpty)
  }

  @Test("The additions of any number of ranks give the bits of the definition", arguments: 1...33)
  func additions(shards: Int) {
    let tree = ShardTree(shards: shards)
    let leaves = (0..<shards).map { awkwardNumbers(5, seed: $0) }
    let expected = treeSum(leaves[...]).bits
    for ranks in 1...shards {
      let pieces = (0..<ranks).flatMap { tree.subtrees(in: tree.shards(of: $0, parts: ranks)) }
      var sums = pieces.map { treeSum(leaves[$0]) }
      let additions = tree.additions(of: pieces, into: 0..<shards)
      #expect(additions.count == pieces.count - 1)
      for addition in additions {
        #expect(addition.to < addition.from)
        sums[addition.to] = zip(sums[addition.to], sums[addition.from]).map { $0 + $1 }
      }
      #expect(sums[0].bits == expected, "\(shards) shards on \(ranks) ranks")
    }
  }

  @Test("Another order gives other bits, so the comparison means something")
  func orderMatters() {
    let leaves = (0..<7).map { awkwardNumbers(50, seed: $0) }
    let inTurn = leaves.dropFirst().reduce(leaves[0]) { sum, leaf in zip(sum, leaf).map { $0 + $1 } }
    #expect(inTurn.bits != treeSum(leaves[...]).bits)
  }
}

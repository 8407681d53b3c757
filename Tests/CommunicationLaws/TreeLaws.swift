import Communication

extension Law {
  /// What a tree-reduce computes: the additions of its tree, to the bit.
  static let trees: [Law] = [
    Law(name: "tree-reduce adds in the order of its tree, the same bits on every rank") { communicator in
      for blocks in blockCounts(communicator.size) {
        for tree in orders(blocks) {
          for size in sizes + [16 * communicator.size + 1] {
            let trial = TreeTrial(tree, size, salt: 0, rank: communicator.rank)
            try communicator.treeReduce(trial.pointers, count: size, tree: tree)
            try trial.check("rank \(communicator.rank): tree-reduce of \(size) in blocks \(blocks)")
          }
        }
      }
    },
    Law(name: "tree-reduces overlap, with labels of their own") { communicator in
      let metered = MeteredCommunicator(communicator)
      let (rank, ranks) = (metered.rank, metered.size)
      let blocks = (0..<ranks).map { $0 % 3 + 1 }
      guard let tree = orders(blocks).last else { return }
      let sizes = [70_001, 5, 0, 1_024, 33_333]
      for round in 0..<3 {
        let trials = sizes.indices.map { TreeTrial(tree, sizes[$0], salt: 10 * round + $0, rank: rank) }
        var requests: [Request] = []
        for (bucket, trial) in trials.enumerated() {
          requests.append(
            try metered.startTreeReduce(trial.pointers, count: sizes[bucket], tree: tree, label: bucket))
          _ = try metered.test(requests[bucket / 2])
        }
        for request in rank % 2 == 0 ? requests.reversed() : requests { try metered.wait(request) }
        for (bucket, trial) in trials.enumerated() { try trial.check("rank \(rank): tree-reduce of bucket \(bucket)") }
      }
      // kᵣ·(n − nᵣ) + (p−1)·nᵣ scalars, where nᵣ is made of whole lines of 16.
      for (bucket, size) in sizes.enumerated() {
        let lines = (size + 15) / 16
        let ends = (0...ranks).map { min(size, lines * $0 / ranks * 16) }
        let parts = (0..<ranks).map { ends[$0 + 1] - ends[$0] }
        let bytes = 4 * (blocks[rank] * (size - parts[rank]) + (ranks - 1) * parts[rank])
        let messages = parts.indices.filter { $0 != rank && parts[$0] > 0 }.count + (parts[rank] > 0 ? ranks - 1 : 0)
        let meter = metered.ledger.labels[bucket]
        try expect(meter.calls == 3, "rank \(rank): \(meter.calls) calls in bucket \(bucket)")
        try expect(meter.bytes == 3 * bytes, "rank \(rank): \(meter.bytes) bytes in bucket \(bucket), not \(3 * bytes)")
        try expect(meter.messages == 3 * messages, "rank \(rank): \(meter.messages) messages in bucket \(bucket)")
      }
      let total = metered.ledger.labels.reduce(0) { $0 + $1.bytes }
      try expect(metered.ledger[.treeReduce].bytes == total, "rank \(rank): labels do not add up to \(total) bytes")
    },
  ]

  /// Blocks that ranks bring: one each, and unequal numbers.
  private static func blockCounts(_ ranks: Int) -> [[Int]] {
    [Array(repeating: 1, count: ranks), (0..<ranks).map { ($0 * 2 + 2) % 3 + 1 }]
  }

  /// Everything to block 0 in order; everything to its left neighbour, from the right; a balanced tree.
  private static func orders(_ blocks: [Int]) -> [ReductionTree] {
    let count = blocks.reduce(0, +)
    var balanced: [(to: Int, from: Int)] = []
    var distance = 1
    while distance < count {
      for to in stride(from: 0, to: count - distance, by: 2 * distance) { balanced.append((to, to + distance)) }
      distance *= 2
    }
    return [
      ReductionTree(blocks: blocks, additions: (1..<max(count, 1)).map { (0, $0) }),
      ReductionTree(blocks: blocks, additions: (1..<max(count, 1)).reversed().map { ($0 - 1, $0) }),
      ReductionTree(blocks: blocks, additions: balanced),
    ]
  }
}

/// One rank's blocks for a tree-reduce, and what has to come out.
private final class TreeTrial {
  private let tree: ReductionTree
  private let size: Int
  private let salt: Int
  private let own: [Block<Float>]
  let pointers: UnsafeBufferPointer<UnsafeMutablePointer<Float>>

  init(_ tree: ReductionTree, _ size: Int, salt: Int, rank: Int) {
    self.tree = tree
    self.size = size
    self.salt = salt
    let first = tree.blocks[..<rank].reduce(0, +)
    own = (0..<tree.blocks[rank]).map { block in
      Block(size) { Float.value(rank: 100 * salt + first + block, index: $0) }
    }
    let pointers = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: own.count)
    for (index, block) in own.enumerated() { pointers.initializeElement(at: index, to: block.base) }
    self.pointers = UnsafeBufferPointer(pointers)
  }

  deinit { pointers.deallocate() }

  func check(_ what: @autoclosure () -> String) throws {
    var blocks = Array(repeating: Float(0), count: tree.blocks.reduce(0, +))
    try expectSame(
      own[0],
      { index in
        for block in blocks.indices { blocks[block] = Float.value(rank: 100 * self.salt + block, index: index) }
        for (to, from) in self.tree.additions { blocks[to] += blocks[from] }
        return blocks[0]
      }, what())
    for block in own { try block.checkGuard(what()) }
  }
}

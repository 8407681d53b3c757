import Communication

// A tree-reduce: blocks go to the owners of their parts, which add them in the order of the tree and give the sums to
// everybody.
extension Flight {
  func addTree(_ largest: Int) throws(CommunicationError) {
    guard let tree = exchange.tree, exchange.inputCount > 0 else { return isFinished = true }
    if phase == 0 { return try sendBlocks(tree, largest) }
    if phase > 1 { return isFinished = true }
    let part = addBlocks(tree)
    try gather(part, exchange.inputParts, largest)
  }

  /// Where this rank keeps what it needs between the phases, in bytes of its scratch memory: pointers to the own part of
  /// every block, then the parts that others sent, then what it sends.
  private struct Layout {
    let incoming: Int
    let outgoing: Int
    let end: Int

    init(_ exchange: Exchange, _ tree: ReductionTree, rank: Int) {
      let (own, blocks) = (exchange.inputParts.count(of: rank), exchange.blocks.count)
      let copied = blocks > 1 ? blocks * (exchange.inputCount - own) : 0
      incoming = Layout.rounded(tree.count * MemoryLayout<UnsafeMutablePointer<Float>>.stride)
      outgoing = incoming + Layout.rounded((tree.count - blocks) * own * MemoryLayout<Float>.stride)
      end = outgoing + copied * MemoryLayout<Float>.stride
    }

    private static func rounded(_ bytes: Int) -> Int { (bytes + 63) & ~63 }
  }

  /// Sends every owner its part of the blocks and receives the own part of everyone's.
  private func sendBlocks(_ tree: ReductionTree, _ largest: Int) throws(CommunicationError) {
    let layout = Layout(exchange, tree, rank: group.rank)
    let memory = scratch(bytes: layout.end)
    let own = exchange.inputParts.count(of: group.rank)
    if own > 0 {
      try eachOther { (rank) throws(CommunicationError) in
        let target = memory + layout.incoming + incomingBlock(tree, rank) * own * stride
        try receive(target, bytes: tree.blocks[rank] * own * stride, from: rank, largest: largest, on: channel)
      }
    }
    var copies = (memory + layout.outgoing).assumingMemoryBound(to: Float.self)
    try eachOther { (rank) throws(CommunicationError) in
      let count = exchange.inputParts.count(of: rank)
      if count == 0 { return }
      let offset = exchange.inputParts.offset(of: rank)
      var source = exchange.blocks[0] + offset
      if exchange.blocks.count > 1 {
        source = copies
        for block in exchange.blocks {
          copies.update(from: block + offset, count: count)
          copies += count
        }
      }
      try send(source, bytes: exchange.blocks.count * count * stride, to: rank, largest: largest, on: channel)
    }
  }

  /// Adds the own part of all blocks and returns where the sum lies.
  private func addBlocks(_ tree: ReductionTree) -> UnsafeRawPointer {
    let layout = Layout(exchange, tree, rank: group.rank)
    let memory = scratch(bytes: layout.end)
    let count = exchange.inputParts.count(of: group.rank)
    let parts = memory.assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    let incoming = (memory + layout.incoming).assumingMemoryBound(to: Float.self)
    for rank in 0..<group.size {
      for block in 0..<tree.blocks[rank] {
        parts[tree.firstBlocks[rank] + block] =
          rank == group.rank
          ? exchange.blocks[block] + exchange.inputParts.offset(of: rank)
          : incoming + (incomingBlock(tree, rank) + block) * count
      }
    }
    var start = 0
    while start < count {
      tree.add(parts, from: start, count: min(ReductionTree.chunk, count - start))
      start += ReductionTree.chunk
    }
    return UnsafeRawPointer(parts[0])
  }

  /// The place of a rank's first block among those that others sent.
  private func incomingBlock(_ tree: ReductionTree, _ rank: Int) -> Int {
    tree.firstBlocks[rank] - (rank > group.rank ? exchange.blocks.count : 0)
  }
}

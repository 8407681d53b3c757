import Communication

/// A tree-reduce by messages: of whole blocks between all ranks, or between hosts of the slice that is one rank's of each.
struct TreePart {
  /// The order of additions; its ranks are places in the circle.
  let tree: ReductionTree
  /// This rank's blocks, from the first element that takes part.
  let blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
  /// Elements of each block.
  let count: Int
  /// Who adds which of them, by place.
  let parts: Parts
  /// Where the sum goes.
  let output: UnsafeMutableRawPointer
  /// The ranks that take part.
  let circle: Circle
  /// Bytes of the flight's scratch memory that are used for something else.
  let reserved: Int

  /// What is kept between the phases, in bytes of scratch memory behind what is reserved: pointers to the own part of every
  /// block, then the parts that others sent, then what is sent.
  fileprivate var incoming: Int {
    reserved + TreePart.rounded(tree.count * MemoryLayout<UnsafeMutablePointer<Float>>.stride)
  }
  fileprivate var outgoing: Int {
    incoming + TreePart.rounded((tree.count - blocks.count) * own * MemoryLayout<Float>.stride)
  }
  /// Bytes of scratch memory in all.
  var end: Int { outgoing + (blocks.count > 1 ? blocks.count * (count - own) : 0) * MemoryLayout<Float>.stride }

  /// Elements that this rank adds.
  fileprivate var own: Int { parts.count(of: circle.place) }

  /// The position of a place's first block among those that others sent.
  fileprivate func incomingBlock(_ place: Int) -> Int {
    tree.firstBlocks[place] - (place > circle.place ? blocks.count : 0)
  }

  /// Whole cache lines.
  static func rounded(_ bytes: Int) -> Int { (bytes + 63) & ~63 }
}

// A tree-reduce: blocks go to the owners of their parts, which add them in the order of the tree and give the sums to
// everybody.
extension Flight {
  func addTree(_ largest: Int) throws(CommunicationError) {
    guard let tree = exchange.tree, exchange.inputCount > 0 else { return isFinished = true }
    if let team = group.team { return try addTree(tree, team, largest) }
    if phase > 1 { return isFinished = true }
    let part = TreePart(
      tree: tree, blocks: exchange.blocks, count: exchange.inputCount, parts: exchange.inputParts,
      output: exchange.output, circle: group.circle, reserved: 0)
    if phase == 0 { return try sendBlocks(part, largest) }
    try gatherSums(part, largest)
  }

  /// Sends every owner its part of the blocks and receives the own part of everyone's.
  func sendBlocks(_ part: TreePart, _ largest: Int) throws(CommunicationError) {
    let memory = scratch(bytes: part.end)
    let own = part.own
    if own > 0 {
      try part.circle.eachOther { (place) throws(CommunicationError) in
        let target = memory + part.incoming + part.incomingBlock(place) * own * stride
        try receive(
          target, bytes: part.tree.blocks[place] * own * stride, from: part.circle.rank(at: place), largest: largest,
          on: channel)
      }
    }
    var copies = (memory + part.outgoing).assumingMemoryBound(to: Float.self)
    try part.circle.eachOther { (place) throws(CommunicationError) in
      let count = part.parts.count(of: place)
      if count == 0 { return }
      let offset = part.parts.offset(of: place)
      var source = part.blocks[0] + offset
      if part.blocks.count > 1 {
        source = copies
        for block in part.blocks {
          copies.update(from: block + offset, count: count)
          copies += count
        }
      }
      try send(
        source, bytes: part.blocks.count * count * stride, to: part.circle.rank(at: place), largest: largest,
        on: channel)
    }
  }

  /// Adds the own part of all blocks, and gives the sums to everyone.
  func gatherSums(_ part: TreePart, _ largest: Int) throws(CommunicationError) {
    let memory = scratch(bytes: part.end)
    let (own, circle) = (part.own, part.circle)
    let sources = (memory + part.reserved).assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    let incoming = (memory + part.incoming).assumingMemoryBound(to: Float.self)
    for place in 0..<circle.size {
      for block in 0..<part.tree.blocks[place] {
        sources[part.tree.firstBlocks[place] + block] =
          place == circle.place
          ? part.blocks[block] + part.parts.offset(of: place)
          : incoming + (part.incomingBlock(place) + block) * own
      }
    }
    var start = 0
    while start < own {
      part.tree.add(sources, from: start, count: min(ReductionTree.chunk, own - start))
      start += ReductionTree.chunk
    }
    try gather(UnsafeRawPointer(sources[0]), part.parts, largest, into: part.output, among: circle)
  }
}

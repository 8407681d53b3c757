import Communication

// What a rank does once everyone has posted.
extension WindowGroup {
  /// Does this rank's share of the present round.
  @inline(__always)
  func share(_ call: UnsafeMutablePointer<WindowCall>) {
    switch call.pointee.exchange.kind {
    case .barrier, .send, .receive: break
    case .allReduce: combine(call)
    case .treeReduce: addTree(call)
    case .broadcast, .allGather, .allToAll, .reduceScatter:
      let isWhole = call.pointee.rounds == 1
      Shares.collect(
        call.pointee.exchange, rank: rank, call.pointee.sources, ranks: size,
        from: isWhole ? 0 : call.pointee.round * call.pointee.roundCount,
        most: isWhole ? .max : call.pointee.roundCount)
    }
  }

  @inline(__always)
  private func combine(_ call: UnsafeMutablePointer<WindowCall>) {
    let type = call.pointee.exchange.type
    let reduction = call.pointee.exchange.reduction
    let count = call.pointee.exchange.inputCount
    let sources = call.pointee.sources
    if call.pointee.isReadInPlace {
      let range = call.pointee.range(of: count)
      let part = slice(range.count, type)
      Shares.combine(sources, ranks: size, from: part.lowerBound, count: part.count, reduction, type)
    } else if size == 2 {
      reduction.fold(
        sources[1 - rank], into: call.pointee.exchange.output, count: count, type: type, valuesFirst: rank == 1)
    } else {
      Shares.fold(sources, ranks: size, into: call.pointee.exchange.output, count: count, reduction, type)
    }
  }

  /// This rank's part of so many elements, in whole cache lines.
  private func slice(_ count: Int, _ type: ElementType) -> Range<Int> {
    let line = 64 / type.stride
    let lines = (count + line - 1) / line
    return min(count, lines * rank / size * line)..<min(count, lines * (rank + 1) / size * line)
  }

  private func addTree(_ call: UnsafeMutablePointer<WindowCall>) {
    let exchange = call.pointee.exchange
    guard let tree = exchange.tree, let base = blocks(of: tree, call) else { return }
    if call.pointee.isReadInPlace {
      let part = slice(call.pointee.range(of: exchange.inputCount).count, .float)
      return Shares.addTree(tree, base, from: part.lowerBound, count: part.count)
    }
    // Others read the same inline values: they are added in memory of this rank.
    let count = exchange.inputCount
    let sums = room(bytes: tree.count * count * MemoryLayout<Float>.stride)
    for block in 0..<tree.count {
      let copy = sums.assumingMemoryBound(to: Float.self) + block * count
      copy.update(from: base[block], count: count)
      base[block] = copy
    }
    tree.add(base, from: 0, count: count)
    exchange.blocks[0].update(from: base[0], count: count)
  }

  /// The blocks of all ranks in the order of a tree, for the present round.
  private func blocks(
    of tree: ReductionTree, _ call: UnsafeMutablePointer<WindowCall>
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Float>>? {
    if blocks.count < tree.count {
      blocks.deallocate()
      blocks = .allocate(capacity: tree.count)
    }
    let entry = call.pointee.number % CallBoard.depth
    let count = call.pointee.exchange.inputCount
    let start = call.pointee.range(of: count).lowerBound
    for other in 0..<size {
      let line = boards[other].line(entry)
      for block in 0..<tree.blocks[other] {
        let address =
          switch line.form {
          case .inline, .elsewhere:
            inlineValues(of: other, entry, bytes: tree.blocks[other] * count * 4) + block * count * 4
          case .staged: boards[other].staging(line.place.area) + block * call.pointee.roundCount * 4
          case .shared:
            host.arena.address(
              of: SharedPlace(bits: UInt64(boards[other].table(entry)[block])), owner: places[other]) + start * 4
          }
        (blocks.baseAddress! + tree.firstBlocks[other] + block).initialize(
          to: address.assumingMemoryBound(to: Float.self))
      }
    }
    return blocks.baseAddress
  }
}

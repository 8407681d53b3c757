import Communication

// A tree-reduce of ranks on several hosts. Each rank of a host takes a slice of the elements: it adds what the blocks of its
// host make without the others, exchanges what is left of the slice with its like on the other hosts, and hands the sum to
// the ranks of its host.
extension Flight {
  func addTree(_ tree: ReductionTree, _ team: HostTeam, _ largest: Int) throws(CommunicationError) {
    var call = hostCall ?? HostCall(team, tree, count: exchange.inputCount, chain: group.history.chain.value)
    defer { hostCall = call }
    switch call.stage {
    case .entry: if call.isReady { call.open(exchange) }
    case .posted:
      if call.round == 0 {
        call.agree()
        reserve(call)
      }
      if call.round < call.rounds {
        addWithin(call)
        if call.isStaged { call.finishShare() } else { try sendPieces(&call, largest) }
      } else {
        handOut(&call)
      }
    case .shared:
      if !call.nextRound(exchange) {
        isFinished = true
      } else if call.round == call.rounds {
        try sendPieces(&call, largest)
      } else {
        call.post(exchange)
      }
    case .pieces:
      try gatherSums(part(call), largest)
      call.stage = .sums
    case .sums: if call.isStaged { call.post(exchange) } else { handOut(&call) }
    }
  }

  /// Offsets in scratch memory: pointers to the host's blocks, pointers to its pieces, then pieces copied from staging areas.
  private func offsets(_ call: HostCall) -> (pieces: Int, copies: Int, end: Int) {
    let pointer = MemoryLayout<UnsafeMutablePointer<Float>>.stride
    let pieces = TreePart.rounded(call.plan.count * pointer)
    let copies = pieces + TreePart.rounded(call.plan.pieces.count * pointer)
    let floats = call.isStaged ? call.plan.pieces.count * call.slice.count : 0
    return (pieces, copies, copies + TreePart.rounded(floats * MemoryLayout<Float>.stride))
  }

  /// Takes all the scratch memory of the call at once: its contents do not outlast taking more.
  private func reserve(_ call: HostCall) { _ = scratch(bytes: part(call).end) }

  /// What is left for the hosts to add of this rank's slice.
  private func part(_ call: HostCall) -> TreePart {
    let offsets = offsets(call)
    let pieces = (scratch(bytes: offsets.end) + offsets.pieces).assumingMemoryBound(
      to: UnsafeMutablePointer<Float>.self)
    return TreePart(
      tree: call.plan.rest, blocks: UnsafeBufferPointer(start: pieces, count: call.plan.pieces.count),
      count: call.slice.count, parts: .lines(call.slice.count, over: call.team.layout.hosts),
      output: exchange.output + call.slice.lowerBound * stride, circle: call.team.layout.circle(of: group.rank),
      reserved: offsets.end)
  }

  /// The host's blocks, from the first element of the present round.
  private func blocks(_ call: HostCall) -> UnsafeMutablePointer<UnsafeMutablePointer<Float>> {
    let blocks = scratch(bytes: 0).assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    call.locate(blocks)
    return blocks
  }

  /// Adds what the present round has of the slice, as far as the host can by itself.
  private func addWithin(_ call: HostCall) {
    let blocks = blocks(call)
    let offsets = offsets(call)
    let pieces = (scratch(bytes: 0) + offsets.pieces).assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    let copies = (scratch(bytes: 0) + offsets.copies).assumingMemoryBound(to: Float.self)
    let part = call.slice.clamped(to: call.range)
    let first = part.lowerBound - call.range.lowerBound
    var start = first
    while start < first + part.count {
      let count = min(ReductionTree.chunk, first + part.count - start)
      for (to, from) in call.plan.additions {
        Reduction.sum.fold(blocks[from] + start, into: blocks[to] + start, count: count, type: .float)
      }
      start += count
    }
    for (index, block) in call.plan.pieces.enumerated() {
      if call.isStaged {
        let copy = copies + index * call.slice.count
        (pieces + index).initialize(to: copy)
        (copy + (part.lowerBound - call.slice.lowerBound)).update(from: blocks[block] + first, count: part.count)
      } else {
        (pieces + index).initialize(to: blocks[block] + first)
      }
    }
  }

  private func sendPieces(_ call: inout HostCall, _ largest: Int) throws(CommunicationError) {
    call.beginReturn()
    call.stage = .pieces
    try sendBlocks(part(call), largest)
  }

  /// Copies what the present round has of the slice's sum into every first block of the host.
  private func handOut(_ call: inout HostCall) {
    let blocks = blocks(call)
    let part = call.slice.clamped(to: call.range)
    for block in call.plan.firstBlocks {
      Shares.copy(
        from: exchange.output + part.lowerBound * stride, to: blocks[block] + (part.lowerBound - call.range.lowerBound),
        bytes: part.count * stride)
    }
    call.finishShare()
  }
}

import Communication

/// Prints the medians of an all-to-all followed by an all-gather, of an all-reduce and of a tree-reduce, for information.
func time(_ world: any Communicator) throws {
  let clock = ContinuousClock()
  for bytes in [4, 1_024, 65_536, 1 << 20, 4 << 20] {
    let count = bytes / 4
    let ranks = world.size
    let parts = (0..<ranks).map { count * ($0 + 1) / ranks - count * $0 / ranks }
    let gradients = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    let pieces = UnsafeMutableBufferPointer<Float>.allocate(capacity: ranks * parts[world.rank])
    let tree = ReductionTree(blocks: Array(repeating: 1, count: ranks), additions: (1..<ranks).map { (0, $0) })
    let blocks = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: 1)
    blocks.initialize(repeating: gradients.baseAddress!)
    gradients.initialize(repeating: 1)
    pieces.initialize(repeating: 0)
    defer {
      gradients.deallocate()
      pieces.deallocate()
      blocks.deallocate()
    }
    let own = parts[..<world.rank].reduce(0, +)
    let part = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(gradients)[own..<own + parts[world.rank]])
    var exchanges: [Double] = []
    var reductions: [Double] = []
    var trees: [Double] = []
    for _ in 0..<200 {
      try world.barrier()
      let first = clock.now
      try world.allToAll(
        UnsafeBufferPointer(gradients), sendCounts: parts, into: pieces,
        receiveCounts: Array(repeating: parts[world.rank], count: ranks))
      try world.allGather(part, into: gradients, counts: parts)
      exchanges.append((clock.now - first) / .milliseconds(1))
      try world.barrier()
      let second = clock.now
      try world.allReduce(gradients, .maximum)
      reductions.append((clock.now - second) / .milliseconds(1))
      try world.barrier()
      let third = clock.now
      try world.treeReduce(UnsafeBufferPointer(blocks), count: count, tree: tree)
      trees.append((clock.now - third) / .milliseconds(1))
    }
    exchanges.sort()
    reductions.sort()
    trees.sort()
    if world.rank == 0 {
      print(
        "\(bytes) bytes: all-to-all and all-gather \(exchanges[100]) ms, all-reduce \(reductions[100]) ms, "
          + "tree-reduce \(trees[100]) ms")
    }
  }
}

/// Prints what a ticket costs while all ranks take as fast as they can, and while rank 0 computes most of the time.
func timeTickets(_ world: any Communicator) throws {
  let clock = ContinuousClock()
  let counter = try world.makeTicketCounter()
  let count = 20_000
  try world.barrier()
  let began = clock.now
  var taken = 0
  while try counter.next() < count { taken += 1 }
  let together = (clock.now - began) / .microseconds(1) / Double(taken + 1)
  try world.barrier()
  var waits: [Double] = []
  if world.rank == 0 {
    for _ in 0..<50 {
      let end = clock.now + .milliseconds(1)
      while clock.now < end {}
      _ = try counter.next()
    }
  } else {
    for _ in 0..<1_000 {
      let asked = clock.now
      _ = try counter.next()
      waits.append((clock.now - asked) / .microseconds(1))
    }
    waits.sort()
  }
  try world.barrier()
  print("rank \(world.rank): \(taken) of \(count) tickets, \(together) us each", terminator: "")
  print(waits.isEmpty ? "" : "; \(waits[500]) us, at most \(waits[999]) us, while rank 0 computes")
}

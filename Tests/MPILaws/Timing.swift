import Communication

/// Prints the median of an all-to-all followed by an all-gather, for information.
func time(_ world: any Communicator) throws {
  let clock = ContinuousClock()
  for bytes in [4, 1_024, 65_536, 1 << 20, 4 << 20] {
    let count = bytes / 4
    let ranks = world.size
    let parts = (0..<ranks).map { count * ($0 + 1) / ranks - count * $0 / ranks }
    let gradients = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    let pieces = UnsafeMutableBufferPointer<Float>.allocate(capacity: ranks * parts[world.rank])
    gradients.initialize(repeating: 1)
    pieces.initialize(repeating: 0)
    defer {
      gradients.deallocate()
      pieces.deallocate()
    }
    let own = parts[..<world.rank].reduce(0, +)
    let part = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(gradients)[own..<own + parts[world.rank]])
    var exchanges: [Double] = []
    var reductions: [Double] = []
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
    }
    exchanges.sort()
    reductions.sort()
    if world.rank == 0 {
      print("\(bytes) bytes: all-to-all and all-gather \(exchanges[100]) ms, all-reduce \(reductions[100]) ms")
    }
  }
}

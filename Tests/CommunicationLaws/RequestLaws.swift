import Communication

extension Law {
  /// Requests in flight together.
  static let requests: [Law] = [
    Law(name: "requests finish in any order of waiting") { communicator in
      // Ranks wait in different orders, so that each has to move forward what another waits for.
      for size in [1, 1_000, 100_003] {
        try checkMany(size, communicator) { requests in
          let turn = communicator.rank % requests.count
          let rotated = requests[turn...] + requests[..<turn]
          for request in communicator.rank % 2 == 0 ? Array(rotated) : rotated.reversed() {
            try communicator.wait(request)
          }
        }
      }
    },
    Law(name: "requests finish by testing alone") { communicator in
      for size in [1, 1_000, 100_003] {
        try checkMany(size, communicator) { requests in
          for request in requests.reversed() {
            while try !communicator.test(request) {}
            try expect(try communicator.test(request), "a finished request became unfinished")
          }
          try expect(communicator.pending == requests.count, "testing ended a request")
          for request in requests { try communicator.wait(request) }
        }
      }
    },
    Law(name: "a bucket's all-to-all and all-gather overlap with the next one's") { communicator in
      try checkBuckets(communicator)
    },
  ]

  /// Starts one of each collective, lets `finish` wait for all, and checks what came.
  private static func checkMany(
    _ size: Int, _ communicator: any Communicator, _ finish: ([Request]) throws -> Void
  ) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let counts = Array(repeating: size, count: ranks)
    func values(_ salt: Int) -> Block<Int32> { Block(size) { Int32.value(rank: rank + salt, index: $0) } }
    let reduced = values(0)
    let broadcast = values(100)
    let (gathered, gatherInput) = (Block<Int32>(blank: size * ranks), values(200))
    let swapInput = Block<Int32>(size * ranks) { Int32.value(rank: rank, index: $0) }
    let swapped = Block<Int32>(blank: size * ranks)
    let scattered = Block<Int32>(blank: size)
    let (given, taken) = (values(300), Block<Int32>(blank: size))
    // Swift ends a life after its last use in the text, which here is a start.
    defer { withExtendedLifetime((gatherInput, swapInput, given)) {} }
    let requests = [
      try communicator.startAllReduce(reduced.buffer, .sum),
      try communicator.startSend(given.constant, to: (rank + 1) % ranks),
      try communicator.startBroadcast(broadcast.buffer, root: ranks - 1),
      try communicator.startAllGather(gatherInput.constant, into: gathered.buffer, counts: counts),
      try communicator.startBarrier(),
      try communicator.startAllToAll(
        swapInput.constant, sendCounts: counts, into: swapped.buffer, receiveCounts: counts),
      try communicator.startReceive(taken.buffer, from: (rank + ranks - 1) % ranks),
      try communicator.startReduceScatter(swapInput.constant, into: scattered.buffer, counts: counts, .maximum),
    ]
    try expect(communicator.pending == requests.count, "\(communicator.pending) requests of \(requests.count)")
    try expect(Set(requests).count == requests.count, "requests share an identifier")
    try finish(requests)
    let what = "rank \(rank), \(size) elements"
    try expectSame(
      reduced, { index in (0..<ranks).reduce(0) { $0 &+ Int32.value(rank: $1, index: index) } }, "\(what): reduced")
    try expectSame(broadcast, { Int32.value(rank: ranks - 1 + 100, index: $0) }, "\(what): broadcast")
    try expectSame(gathered, { Int32.value(rank: $0 / size + 200, index: $0 % size) }, "\(what): gathered")
    try expectSame(swapped, { Int32.value(rank: $0 / size, index: $0 % size + rank * size) }, "\(what): swapped")
    try expectSame(taken, { Int32.value(rank: (rank + ranks - 1) % ranks + 300, index: $0) }, "\(what): taken")
    try expectSame(
      scattered,
      { index in (0..<ranks).map { Int32.value(rank: $0, index: index + rank * size) }.max() ?? 0 },
      "\(what): scattered")
  }

  /// The exchange of data-parallel training: each rank owns a part of each bucket.
  private static func checkBuckets(_ communicator: any Communicator) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let sizes = [70_001, 5, 1_024, 0, 33_333]
    let parts = sizes.map { size in (0..<ranks).map { size * ($0 + 1) / ranks - size * $0 / ranks } }
    let gradients = sizes.indices.map { bucket in
      Block<Float>(sizes[bucket]) { Float((rank + 1) * ($0 % 1_000 + bucket)) }
    }
    let pieces = sizes.indices.map { Block<Float>(blank: parts[$0][rank] * ranks) }
    let owned = sizes.indices.map { Block<Float>(blank: parts[$0][rank]) }
    let sums = sizes.indices.map { Block<Float>(blank: sizes[$0]) }
    defer { withExtendedLifetime((gradients, pieces, owned)) {} }
    var scatters: [Request] = []
    var gathers: [Request] = []
    func gather(_ bucket: Int) throws {
      let count = parts[bucket][rank]
      for index in 0..<count {
        owned[bucket].buffer[index] = (0..<ranks).reduce(0) { $0 + pieces[bucket][$1 * count + index] }
      }
      gathers.append(
        try communicator.startAllGather(owned[bucket].constant, into: sums[bucket].buffer, counts: parts[bucket]))
    }
    for bucket in sizes.indices {
      scatters.append(
        try communicator.startAllToAll(
          gradients[bucket].constant, sendCounts: parts[bucket], into: pieces[bucket].buffer,
          receiveCounts: Array(repeating: parts[bucket][rank], count: ranks)))
      _ = try communicator.test(scatters[bucket / 2])
    }
    for bucket in sizes.indices {
      try communicator.wait(scatters[bucket])
      try gather(bucket)
    }
    for request in gathers.reversed() { try communicator.wait(request) }
    for bucket in sizes.indices {
      let factor = ranks * (ranks + 1) / 2
      try expectSame(
        sums[bucket], { Float(factor * ($0 % 1_000 + bucket)) }, "rank \(rank): sum of bucket \(bucket)")
    }
  }
}

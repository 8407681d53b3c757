import Communication

extension Law {
  /// Values in memory that a communicator gave out.
  static let memories: [Law] = [
    Law(name: "values in a communicator's memory are exchanged like any others") { communicator in
      // Everyone's in such memory; only some ranks'. Then the same in a part of the group, and in memory of that part.
      let half = try communicator.split(color: communicator.rank % 2, key: 0)
      for size in [1, 3_000] {
        for usesMemory in [true, communicator.rank % 2 == 0] {
          try checkMemory(size, usesMemory, communicator, of: communicator)
          try checkMemory(size, usesMemory, half, of: communicator)
          try checkMemory(size, usesMemory, communicator, of: half)
        }
      }
      try checkMemory(70_001, communicator.rank % 2 == 0, communicator, of: communicator)
    },
    Law(name: "more calls can be started than any ring holds") { communicator in
      let (rank, ranks) = (communicator.rank, communicator.size)
      let blocks = (0..<150).map { call in Block<Int32>(3) { Int32(call + $0 + rank) } }
      var requests: [Request] = []
      for block in blocks { requests.append(try communicator.startAllReduce(block.buffer, .maximum)) }
      for request in rank % 2 == 0 ? requests : requests.reversed() { try communicator.wait(request) }
      for (call, block) in blocks.enumerated() {
        try expectSame(block, { Int32(call + $0 + ranks - 1) }, "rank \(rank): call \(call) of many")
      }
      // Of reductions by a tree, with values of 1 to 20, whose sums are exact.
      let tree = ReductionTree(
        blocks: Array(repeating: 1, count: ranks), additions: (1..<max(ranks, 1)).map { (0, $0) })
      let sums = (0..<20).map { call in Block<Float>(3) { _ in Float(call + 1) } }
      let places = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: sums.count)
      defer { places.deallocate() }
      requests = []
      for (call, block) in sums.enumerated() {
        places.initializeElement(at: call, to: block.base)
        let own = UnsafeBufferPointer(rebasing: places[call...call])
        requests.append(try communicator.startTreeReduce(own, count: 3, tree: tree))
      }
      for request in rank % 2 == 0 ? requests : requests.reversed() { try communicator.wait(request) }
      for (call, block) in sums.enumerated() {
        try expectSame(block, { _ in Float((call + 1) * ranks) }, "rank \(rank): tree-reduce \(call) of many")
      }
      // Many that pass through what there is little of.
      let large = (0..<6).map { call in Block<Int32>(140_003) { Int32(truncatingIfNeeded: call &* $0 &+ rank) } }
      requests = []
      for block in large { requests.append(try communicator.startAllReduce(block.buffer, .sum)) }
      for request in requests.reversed() { try communicator.wait(request) }
      let ranksSum = Int32(ranks * (ranks - 1) / 2)
      for (call, block) in large.enumerated() {
        try expectSame(
          block, { Int32(truncatingIfNeeded: call &* $0) &* Int32(ranks) &+ ranksSum },
          "rank \(rank): large call \(call) of many")
      }
    },
  ]

  /// One of each call in `communicator`, in memory of `owner` or not.
  private static func checkMemory(
    _ size: Int, _ usesMemory: Bool, _ communicator: any Communicator, of owner: any Communicator
  ) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let what = "rank \(rank) of \(ranks): \(size) elements\(usesMemory ? " in its memory" : "")"
    let total = (size * ranks + size) * 4
    let shared = try owner.allocate(byteCount: total)
    let memory = usesMemory ? shared : try CommunicatorMemory(zeroed: total)
    let all = memory.base.assumingMemoryBound(to: Float.self)
    let values = UnsafeMutableBufferPointer(start: all, count: size)
    let many = UnsafeMutableBufferPointer(start: all + size, count: size * ranks)
    let counts = Array(repeating: size, count: ranks)
    func value(_ rank: Int, _ index: Int) -> Float { Float.value(rank: rank, index: index) }
    func check(_ actual: Float, _ expected: Float, _ call: String) throws {
      if !Float.areSameBits(actual, expected) { throw LawViolation(description: "\(what): \(call)") }
    }
    func fold(_ index: Int) -> Float { (1..<max(ranks, 1)).reduce(value(0, index)) { $0 + value($1, index) } }

    for index in 0..<size { values[index] = value(rank, index) }
    try communicator.allReduce(values, .sum)
    for index in 0..<size { try check(values[index], fold(index), "all-reduce at \(index)") }

    for index in 0..<size { values[index] = value(rank, index) }
    try communicator.broadcast(values, root: ranks - 1)
    for index in 0..<size { try check(values[index], value(ranks - 1, index), "broadcast at \(index)") }

    for index in 0..<size { values[index] = value(rank, index) }
    try communicator.allGather(UnsafeBufferPointer(values), into: many, counts: counts)
    for index in many.indices { try check(many[index], value(index / size, index % size), "all-gather at \(index)") }

    for index in many.indices { many[index] = value(rank, index) }
    try communicator.reduceScatter(UnsafeBufferPointer(many), into: values, counts: counts, .sum)
    for index in 0..<size { try check(values[index], fold(rank * size + index), "reduce-scatter at \(index)") }

    // The output where others read this rank's input must wait for them: an all-to-all right behind.
    let received = Block<Float>(blank: size * ranks)
    try communicator.allToAll(
      UnsafeBufferPointer(many), sendCounts: counts, into: received.buffer, receiveCounts: counts)
    for index in many.indices {
      try check(received[index], value(index / size, rank * size + index % size), "all-to-all at \(index)")
    }

    let tree = ReductionTree(
      blocks: Array(repeating: 2, count: ranks), additions: (1..<(2 * ranks)).reversed().map { ($0 - 1, $0) })
    let second = UnsafeMutablePointer<Float>.allocate(capacity: size)
    defer { second.deallocate() }
    // Both blocks in memory, or the second elsewhere.
    let pair = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: 2)
    defer { pair.deallocate() }
    for block in [all + size, second] {
      _ = pair.initialize(fromContentsOf: [all, block])
      for index in 0..<size {
        all[index] = value(2 * rank, index)
        block[index] = value(2 * rank + 1, index)
      }
      try communicator.treeReduce(UnsafeBufferPointer(pair), count: size, tree: tree)
      for index in 0..<size {
        let sum = (0..<(2 * ranks - 1)).reversed().reduce(value(2 * ranks - 1, index)) { value($1, index) + $0 }
        try check(all[index], sum, "tree-reduce at \(index)")
      }
    }
    withExtendedLifetime((shared, memory)) {}
  }
}

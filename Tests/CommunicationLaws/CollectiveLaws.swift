import Communication

extension Law {
  /// What each collective that only moves values leaves where.
  static let collectives: [Law] = [
    Law(name: "nobody leaves a barrier before everyone entered it") { communicator in
      // Seen through values: what rank 0 holds after a barrier is what everybody sent before it.
      for round in 0..<20 {
        let token = Block<Int64>(1) { _ in Int64(round * 100 + communicator.rank) }
        let tokens = Block<Int64>(blank: communicator.size)
        defer { withExtendedLifetime(token) {} }
        let request = try communicator.startAllGather(
          token.constant, into: tokens.buffer, counts: Array(repeating: 1, count: communicator.size))
        try communicator.barrier()
        try communicator.wait(request)
        try expectSame(tokens, { Int64(round * 100 + $0) }, "rank \(communicator.rank), round \(round)")
      }
    },
    Law(name: "broadcast gives everyone the root's values") { communicator in
      try eachType { type in
        for size in sizes {
          for root in Set([0, communicator.size / 2, communicator.size - 1]).sorted() {
            try checkBroadcast(type, size, root, communicator)
          }
        }
      }
    },
    Law(name: "all-gather puts rank r's values into part r") { communicator in
      try eachType { type in
        for size in sizes {
          try checkAllGather(type, equal: size, communicator)
          for counts in unequalCounts(size, communicator.size) {
            try checkAllGather(type, counts, inPlace: false, communicator)
            try checkAllGather(type, counts, inPlace: true, communicator)
          }
        }
      }
    },
    Law(name: "all-to-all puts part r of rank s into part s of rank r") { communicator in
      try eachType { type in
        for size in sizes { try checkAllToAll(type, size, communicator) }
      }
    },
    Law(name: "messages arrive whole and in order, told apart by tag") { communicator in
      try eachType { type in
        for size in sizes { try checkMessages(type, size, communicator) }
      }
    },
  ]

  /// Some ways to give ranks different parts of about `size` elements, with empty ones among them; for large sizes, one.
  static func unequalCounts(_ size: Int, _ ranks: Int) -> [[Int]] {
    let even = (0..<ranks).map { size * ($0 + 1) / ranks - size * $0 / ranks }
    if size > 1_000 { return [even] }
    return [
      even,
      (0..<ranks).map { $0 % 2 == 0 ? 0 : size / ranks + $0 },
      (0..<ranks).map { $0 == ranks - 1 ? size : 0 },
    ]
  }

  private static func checkBroadcast<T: Sample>(
    _: T.Type, _ size: Int, _ root: Int, _ communicator: any Communicator
  ) throws {
    let block = Block<T>(size) { T.value(rank: communicator.rank, index: $0) }
    try communicator.broadcast(block.buffer, root: root)
    let what = "rank \(communicator.rank): broadcast of \(size) \(T.self) from \(root)"
    try expectSame(block, { T.value(rank: root, index: $0) }, what)
    try block.checkGuard(what)
  }

  private static func checkAllGather<T: Sample>(
    _: T.Type, equal size: Int, _ communicator: any Communicator
  ) throws {
    let input = Block<T>(size) { T.value(rank: communicator.rank, index: $0) }
    let output = Block<T>(blank: size * communicator.size)
    try communicator.allGather(input.constant, into: output.buffer)
    let what = "rank \(communicator.rank): all-gather of \(size) \(T.self) each"
    try expectSame(output, { T.value(rank: $0 / size, index: $0 % size) }, what)
    try output.checkGuard(what)
  }

  private static func checkAllGather<T: Sample>(
    _: T.Type, _ counts: [Int], inPlace: Bool, _ communicator: any Communicator
  ) throws {
    let rank = communicator.rank
    let offsets = counts.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    let input = Block<T>(counts[rank]) { T.value(rank: rank, index: $0) }
    let output = Block<T>(offsets[counts.count]) { index in
      let own = index - offsets[rank]
      return inPlace && own >= 0 && own < counts[rank]
        ? T.value(rank: rank, index: own) : T.value(rank: -2, index: index)
    }
    let part = UnsafeBufferPointer(rebasing: output.constant[offsets[rank]..<offsets[rank + 1]])
    try communicator.allGather(inPlace ? part : input.constant, into: output.buffer, counts: counts)
    let what = "rank \(rank): all-gather of \(counts) \(T.self)\(inPlace ? " in place" : "")"
    var source = 0
    try expectSame(
      output,
      { index in
        while index >= offsets[source + 1] { source += 1 }
        return T.value(rank: source, index: index - offsets[source])
      }, what)
    try output.checkGuard(what)
  }

  private static func checkAllToAll<T: Sample>(_: T.Type, _ size: Int, _ communicator: any Communicator) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    // Rank s gives rank r this many elements: none, some, or many.
    func count(_ source: Int, _ target: Int) -> Int {
      size / ranks * ((source + 2 * target) % 3) + (source + target) % 2
    }
    let sendCounts = (0..<ranks).map { size == 0 ? 0 : count(rank, $0) }
    let receiveCounts = (0..<ranks).map { size == 0 ? 0 : count($0, rank) }
    func value(_ source: Int, _ target: Int, _ index: Int) -> T { T.value(rank: source * ranks + target, index: index) }
    var values: [T] = []
    for target in 0..<ranks { for index in 0..<sendCounts[target] { values.append(value(rank, target, index)) } }
    var expected: [T] = []
    for source in 0..<ranks { for index in 0..<receiveCounts[source] { expected.append(value(source, rank, index)) } }
    let input = Block<T>(values.count) { values[$0] }
    let output = Block<T>(blank: expected.count)
    try communicator.allToAll(
      input.constant, sendCounts: sendCounts, into: output.buffer, receiveCounts: receiveCounts)
    let what = "rank \(rank): all-to-all of \(T.self), receiving \(receiveCounts)"
    try expectSame(output, { expected[$0] }, what)
    try expectSame(input, { values[$0] }, "\(what), input")
    try output.checkGuard(what)
  }

  private static func checkMessages<T: Sample>(_: T.Type, _ size: Int, _ communicator: any Communicator) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let (next, before) = ((rank + 1) % ranks, (rank + ranks - 1) % ranks)
    // Around the ring: two messages with one tag, of different sizes, and one with another tag that is received first.
    let sizes = [size, size / 2 + 1, size + 2]
    let tags = [5, 5, 9]
    let given = (0..<3).map { i in Block<T>(sizes[i]) { T.value(rank: rank * 3 + i, index: $0) } }
    let taken = (0..<3).map { Block<T>(blank: sizes[$0]) }
    defer { withExtendedLifetime(given) {} }
    var requests: [Request] = []
    for i in 0..<3 { requests.append(try communicator.startSend(given[i].constant, to: next, tag: tags[i])) }
    for i in [2, 0, 1] { try communicator.receive(taken[i].buffer, from: before, tag: tags[i]) }
    for request in requests { try communicator.wait(request) }
    for i in 0..<3 {
      let what = "rank \(rank): message \(i) of \(sizes[i]) \(T.self) from \(before)"
      try expectSame(taken[i], { T.value(rank: before * 3 + i, index: $0) }, what)
      try taken[i].checkGuard(what)
    }
  }
}

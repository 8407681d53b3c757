import Communication

extension Law {
  /// What the collectives that combine values compute: the fold in rank order, to the bit.
  static let reductions: [Law] = [
    Law(name: "all-reduce folds in rank order, the same bits on every rank") { communicator in
      try eachType { type in
        for size in sizes {
          for reduction in Reduction.allCases { try checkAllReduce(type, size, reduction, communicator) }
        }
      }
    },
    Law(name: "reduce-scatter leaves part r of the fold on rank r") { communicator in
      try eachType { type in
        for size in sizes {
          for reduction in Reduction.allCases {
            for counts in unequalCounts(size, communicator.size) {
              try checkReduceScatter(type, counts, reduction, communicator)
            }
          }
        }
        try checkReduceScatter(type, equal: 101, communicator)
      }
    },
  ]

  private static func folded<T: Sample>(_ index: Int, _ reduction: Reduction, ranks: Int) -> T {
    var value = T.value(rank: 0, index: index)
    for rank in 1..<max(ranks, 1) { value = T.combined(value, T.value(rank: rank, index: index), reduction) }
    return value
  }

  private static func checkAllReduce<T: Sample>(
    _: T.Type, _ size: Int, _ reduction: Reduction, _ communicator: any Communicator
  ) throws {
    let block = Block<T>(size) { T.value(rank: communicator.rank, index: $0) }
    try communicator.allReduce(block.buffer, reduction)
    let what = "rank \(communicator.rank) of \(communicator.size): all-reduce (\(reduction.name)) of \(size) \(T.self)"
    try expectSame(block, { folded($0, reduction, ranks: communicator.size) }, what)
    try block.checkGuard(what)
  }

  private static func checkReduceScatter<T: Sample>(
    _: T.Type, _ counts: [Int], _ reduction: Reduction, _ communicator: any Communicator
  ) throws {
    let rank = communicator.rank
    let offset = counts[..<rank].reduce(0, +)
    let input = Block<T>(counts.reduce(0, +)) { T.value(rank: rank, index: $0) }
    let output = Block<T>(blank: counts[rank])
    try communicator.reduceScatter(input.constant, into: output.buffer, counts: counts, reduction)
    let what = "rank \(rank): reduce-scatter (\(reduction.name)) of \(counts) \(T.self)"
    try expectSame(output, { folded($0 + offset, reduction, ranks: communicator.size) }, what)
    try expectSame(input, { T.value(rank: rank, index: $0) }, "\(what), input")
    try output.checkGuard(what)
  }

  private static func checkReduceScatter<T: Sample>(
    _: T.Type, equal count: Int, _ communicator: any Communicator
  ) throws {
    let rank = communicator.rank
    let input = Block<T>(count * communicator.size) { T.value(rank: rank, index: $0) }
    let output = Block<T>(blank: count)
    try communicator.reduceScatter(input.constant, into: output.buffer, .sum)
    try expectSame(
      output, { folded($0 + rank * count, .sum, ranks: communicator.size) },
      "rank \(rank): reduce-scatter of \(count) \(T.self) each")
  }
}

extension Communicator {
  /// The ranks that share this rank's color, in the order of their keys, then of their ranks, and this rank's place
  /// among them: the first half of every `split`. Collective.
  package func membersOfSplit(
    color: Int, key: Int
  ) throws(CommunicationError) -> (ranks: [Int], place: Int) {
    let own = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 2)
    let all = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 2 * size)
    defer {
      own.deallocate()
      all.deallocate()
    }
    own[0] = Int64(color)
    own[1] = Int64(key)
    try allGather(UnsafeBufferPointer(own), into: all)
    let ranks = (0..<size).filter { all[2 * $0] == Int64(color) }
      .sorted { (all[2 * $0 + 1], $0) < (all[2 * $1 + 1], $1) }
    return (ranks, ranks.firstIndex(of: rank) ?? 0)
  }
}

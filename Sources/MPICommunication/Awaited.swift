import Communication

/// Something that a rank waits for.
protocol Awaited {
  var isFinished: Bool { get }
  /// Nanoseconds after which a wait is long enough to look for what is wrong.
  func silence(_ patience: Patience) -> UInt64
  /// Throws if it can be seen that it will never be finished. `waited` is how long this rank has waited, in nanoseconds.
  func look(waited: UInt64) throws(CommunicationError)
  /// What it says of itself to those who wait for this rank; nil where they need not know.
  var hold: Hold? { get }
  /// The error of a rank whose patience ended.
  func timeout(_ patience: Patience) -> CommunicationError
}

extension Flight: Awaited {
  func silence(_ patience: Patience) -> UInt64 { min(1_000_000_000, patience.nanoseconds / 4) }
  /// Sees only whether a rank of this host ended: all else is seen by the reports that ranks send each other.
  func look(waited: UInt64) throws(CommunicationError) {
    try hostCall?.look(exchange, rank: group.rank, ranks: group.size)
  }
  var hold: Hold? {
    Hold(key: identifier, group: group.identity.value, number: number, sources: sources, words: described)
  }
  func timeout(_ patience: Patience) -> CommunicationError { group.timeout(self, patience) }
}

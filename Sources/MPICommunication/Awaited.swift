import Communication

/// Something that a rank waits for.
protocol Awaited {
  var isFinished: Bool { get }
  /// Nanoseconds after which a wait is long enough to look for what is wrong.
  func silence(_ patience: Patience) -> UInt64
  /// Throws if it can be seen that it will never be finished. `waited` is how long this rank has waited, in nanoseconds.
  func look(waited: UInt64) throws(CommunicationError)
  /// The error of a rank whose patience ended.
  func timeout(_ patience: Patience) -> CommunicationError
}

extension Flight: Awaited {
  func silence(_ patience: Patience) -> UInt64 { min(1_000_000_000, patience.nanoseconds / 4) }
  /// Sees only whether a rank of this host ended: all else is seen by the reports that ranks send each other.
  func look(waited: UInt64) throws(CommunicationError) {
    try hostCall?.look(exchange, rank: group.rank, ranks: group.size)
  }
  func timeout(_ patience: Patience) -> CommunicationError { group.timeout(self, patience) }
}

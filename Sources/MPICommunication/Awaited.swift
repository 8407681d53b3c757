import COpenMPI
import Communication

/// Something that a rank waits for.
protocol Awaited {
  var isFinished: Bool { get }
  /// Throws if it can be seen that it will never be finished. `waited` is how long this rank has waited, in nanoseconds.
  func look(waited: UInt64) throws(CommunicationError)
  /// The error of a rank whose patience ended.
  func timeout(_ patience: Patience) -> CommunicationError
}

extension Flight: Awaited {
  /// Throws if a rank that this exchange waits for has called something else instead.
  func look(waited: UInt64) throws(CommunicationError) {
    if exchange.kind == .send || exchange.kind == .receive { return }
    for peer in awaited {
      var found: CInt = 0
      var status = MPI_Status()
      try check(MPI_Iprobe(CInt(peer), CInt(MPI_ANY_TAG), group.collectives, &found, &status), "looking for messages")
      if found != 0, group.signature.areRivals(status.MPI_TAG, tag) {
        throw CommunicationError(
          .mismatch, "ranks disagree: rank \(group.rank) called \(described), rank \(peer) something else")
      }
    }
  }

  /// The error of a rank whose patience ended.
  func timeout(_ patience: Patience) -> CommunicationError {
    let names = (awaited.count == 1 ? "rank " : "ranks ") + awaited.map(String.init).joined(separator: ", ")
    return CommunicationError(
      .timeout,
      "rank \(group.rank) waited \(patience.described) for \(names) in \(described); "
        + "\(Patience.variable) sets the limit")
  }
}

/// What the two ends of a channel between ranks have in common: a register of the sender becomes one message of fixed size,
/// a line of header and the whole register, which lands in the receiver's register of the same number.
struct RegisterChannel {
  /// The communicator, whose one thread drives this end.
  let communicator: any Communicator
  /// The rank at the other end.
  let peer: Int
  /// The tag of registers; what comes back has the next.
  let tag: Int
  /// Registers on each side.
  let count: Int
  /// Bytes of a register.
  let byteCount: Int

  /// Stands before a register's bytes, on a cache line of its own.
  struct Header: BitwiseCopyable {
    /// Registers of the channel before this one.
    var sequence: Int64
    /// Bytes that are filled; below zero after the last register.
    var filled: Int64
    /// Registers that the sender believes there are on each side.
    var count: Int64
  }

  /// Gives a register back.
  struct Acknowledgement: BitwiseCopyable {
    /// Registers given back before this one.
    var sequence: Int64
    /// 1 while the receiver reads on, 0 once it does not.
    var isWanted: Int64
  }

  static let headerBytes = 64

  init(_ communicator: any Communicator, peer: Int, tag: Int, count: Int, byteCount: Int) {
    precondition((0..<communicator.size).contains(peer), "a channel with rank \(peer) of \(communicator.size)")
    precondition(count > 0 && byteCount >= 0, "a channel of \(count) registers of \(byteCount) bytes")
    precondition((0..<(Exchange.tagLimit - 1)).contains(tag), "tags \(tag) and \(tag + 1)")
    self.communicator = communicator
    self.peer = peer
    self.tag = tag
    self.count = count
    self.byteCount = byteCount
  }

  /// The error of an end that was told something else than it expected.
  func mismatch(_ got: String, _ expected: String) -> CommunicationError {
    CommunicationError(
      .mismatch,
      "rank \(communicator.rank) got \(got) from rank \(peer) with tag \(tag), not \(expected): both ends of a channel "
        + "need the same tag, number and size of registers")
  }
}

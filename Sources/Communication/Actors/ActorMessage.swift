/// What actors and ends tell each other: a plain value, so that sending one allocates nothing.
struct ActorMessage: BitwiseCopyable, Sendable {
  enum Kind: UInt8 {
    /// Act as soon as possible.
    case start
    /// Producer to consumer: this register is filled.
    case register
    /// Consumer to producer: this register was read.
    case acknowledgement
    /// Producer to consumer: no register follows.
    case endOfStream
    /// Consumer to producer: it reads no more; what comes is acknowledged at once.
    case enough
  }

  let kind: Kind
  /// The descriptor's place among the recipient's inputs, or outputs.
  var port = 0
  /// The register's number in its descriptor.
  var register = 0
}

/// Whoever messages go to: an actor, or an end.
protocol ActorRecipient: AnyObject, Sendable {
  /// Takes a message on any thread, without waiting for what it leads to.
  func deliver(_ message: ActorMessage)
}

/// The consumer's end of registers that another rank fills: the counterpart of `RegisterSender`, which says what a register
/// costs.
///
/// All `count` registers have a receive posted ahead, which is the sender's credit; `release` posts it again and tells the
/// sender. It has no thread: `poll` moves everything forward between other work. Memory: `count · (64 + byteCount)` bytes.
public final class RegisterReceiver {
  /// Registers of the channel.
  public var count: Int { channel.count }
  /// Bytes of a register.
  public var byteCount: Int { channel.byteCount }
  /// Registers that were taken.
  public private(set) var taken = 0
  /// Registers that were given back.
  public private(set) var released = 0
  /// Whether the sender has said that nothing follows, and all before was taken.
  public private(set) var hasEnded = false

  private let channel: RegisterChannel
  private let memory: ChannelMemory
  private var receives: [Request] = []
  private var answers: [Request?]
  private var isClosed = false
  private var hasFinished = false

  /// Registers from rank `peer`, which makes a `RegisterSender` with the same tag, count and size. Posts `count` receives.
  public init(
    _ communicator: any Communicator, from peer: Int, tag: Int, count: Int, byteCount: Int
  ) throws(CommunicationError) {
    channel = RegisterChannel(communicator, peer: peer, tag: tag, count: count, byteCount: byteCount)
    memory = ChannelMemory(channel, messages: count)
    answers = Array(repeating: nil, count: count)
    for slot in 0..<count { receives.append(try post(slot)) }
  }

  deinit {
    if hasFinished { memory.free() }
  }

  /// The next register's filled bytes, on a cache line, until it is released; nil after the last. Waits for it. At most
  /// `count` registers may be held at once. Throws `.mismatch` where a register is out of order.
  public func receive() throws(CommunicationError) -> UnsafeRawBufferPointer? {
    precondition(!isClosed, "a channel that was ended")
    return try take()
  }

  /// Gives the register that was taken first back to the sender.
  public func release() throws(CommunicationError) {
    precondition(released < taken, "every register was given back")
    let slot = released % count
    // The sender has filled this register since it heard the answer before, or has ended.
    if let answer = answers[slot] { try channel.communicator.wait(answer) }
    answers[slot] = nil
    receives[slot] = try post(slot)
    memory.setAnswer(
      slot, RegisterChannel.Acknowledgement(sequence: Int64(released), isWanted: isClosed ? 0 : 1))
    released += 1
    answers[slot] = try channel.communicator.startSend(
      UnsafeBufferPointer(memory.answerMessage(slot)), to: channel.peer, tag: channel.tag + 1)
  }

  /// Moves everything forward without waiting; whether `receive` would return at once. A look has no deadline: who has
  /// nothing else to do waits with `receive`.
  @discardableResult public func poll() throws(CommunicationError) -> Bool {
    if hasEnded || taken - released == count {
      // Nothing is to come: a look at the newest answer moves what is under way.
      if !hasFinished, let answer = answers[(released + count - 1) % count] {
        _ = try channel.communicator.test(answer)
      }
      return hasEnded
    }
    while try channel.communicator.test(receives[taken % count]) {
      guard isClosed else { return true }
      if try take() == nil { return true }
      try release()
    }
    return false
  }

  /// Reads no more: what is held is given back, what comes is dropped as `poll` finds it, and the sender is told with each.
  /// Does not wait; may be called twice.
  public func end() throws(CommunicationError) {
    if isClosed { return }
    isClosed = true
    while released < taken { try release() }
    try poll()
  }

  /// Ends, and returns when the sender has ended too: nothing of the channel is pending here then. Every channel finishes,
  /// unless there was an error. May be called twice.
  public func finish() throws(CommunicationError) {
    if hasFinished { return }
    try end()
    while try take() != nil { try release() }
    // The sender ends every receive; the first of these was taken as the end.
    for later in stride(from: 1, to: count, by: 1) {
      let slot = (taken + later) % count
      try channel.communicator.wait(receives[slot])
      let header = memory.header(slot)
      guard header.filled < 0 else { throw channel.mismatch("register \(header.sequence)", "the end") }
    }
    for answer in answers { if let answer { try channel.communicator.wait(answer) } }
    hasFinished = true
  }

  private func post(_ slot: Int) throws(CommunicationError) -> Request {
    try channel.communicator.startReceive(memory.message(slot), from: channel.peer, tag: channel.tag)
  }

  private func take() throws(CommunicationError) -> UnsafeRawBufferPointer? {
    if hasEnded { return nil }
    precondition(taken - released < count, "all \(count) registers are held; release one before the next")
    let slot = taken % count
    try channel.communicator.wait(receives[slot])
    let header = memory.header(slot)
    guard header.sequence == Int64(taken), header.count == Int64(count) else {
      throw channel.mismatch(
        "register \(header.sequence) of \(header.count)", "register \(taken) of \(count)")
    }
    if header.filled < 0 {
      hasEnded = true
      return nil
    }
    guard header.filled <= Int64(byteCount) else {
      throw channel.mismatch("\(header.filled) bytes", "at most \(byteCount)")
    }
    taken += 1
    return UnsafeRawBufferPointer(rebasing: memory.payload(slot)[..<Int(header.filled)])
  }
}

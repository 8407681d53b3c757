/// The producer's end of registers that one rank fills and another reads, in order.
///
/// It has no thread: the thread that uses the communicator drives it, and `poll` moves everything forward between other
/// work. A register is free again once the receiver has released it, so `count` registers are all that is ever under way:
/// `acquire` waits for one, which is the back-pressure.
///
/// Cost: a register sends `64 + byteCount` bytes, however much of it is filled, straight from and into the registers, and
/// 16 bytes come back. The end sends `count` messages of that size once. Memory: `count · (64 + byteCount)` bytes, and one
/// register more from the end on. A register takes what a transport takes for four requests; nothing else is allocated.
///
/// Uses the tags `tag` and `tag + 1` towards the peer. Requests stay pending from step to step: where somebody counts them,
/// give channels a communicator of their own, from `split`. Ranks as processes of one host then wait by yielding their core
/// and not by sleeping. A peer that stopped is the communicator's error. After an error the channel is of no further use,
/// and its memory is left to what is under way.
public final class RegisterSender {
  /// Registers of the channel.
  public var count: Int { channel.count }
  /// Bytes of a register.
  public var byteCount: Int { channel.byteCount }
  /// Whether the receiver reads on, as far as it has said: registers sent after it closed are dropped there.
  public private(set) var isWanted = true
  /// Registers that were sent.
  public private(set) var sent = 0
  /// Registers that the receiver has given back.
  public private(set) var returned = 0

  private let channel: RegisterChannel
  private let memory: ChannelMemory
  private var requests: [(register: Request, answer: Request)?]
  private var isAcquired = false
  private var farewell: (memory: ChannelMemory, requests: [Request])?
  private var hasFinished = false

  /// Registers for rank `peer`, which makes a `RegisterReceiver` with the same tag, count and size. Sends nothing.
  public init(_ communicator: any Communicator, to peer: Int, tag: Int, count: Int, byteCount: Int) {
    channel = RegisterChannel(communicator, peer: peer, tag: tag, count: count, byteCount: byteCount)
    memory = ChannelMemory(channel, messages: count)
    requests = Array(repeating: nil, count: count)
  }

  deinit {
    if hasFinished || sent == 0 { memory.free() }
  }

  /// A free register to write to, on a cache line; the same one until it is sent. Waits until the receiver has released one.
  public func acquire() throws(CommunicationError) -> UnsafeMutableRawBufferPointer {
    precondition(farewell == nil, "a channel that was ended")
    if sent - returned == count { try settle() }
    isAcquired = true
    return memory.payload(sent % count)
  }

  /// Starts sending the acquired register, of which the first `byteCount` bytes are filled.
  public func send(byteCount filled: Int) throws(CommunicationError) {
    precondition(isAcquired, "a channel sends what it acquired")
    precondition((0...byteCount).contains(filled), "\(filled) bytes in a register of \(byteCount)")
    isAcquired = false
    let slot = sent % count
    memory.setHeader(
      slot, RegisterChannel.Header(sequence: Int64(sent), filled: Int64(filled), count: Int64(count)))
    let answer = try channel.communicator.startReceive(
      memory.answerMessage(slot), from: channel.peer, tag: channel.tag + 1)
    sent += 1
    requests[slot] = (
      try channel.communicator.startSend(
        UnsafeBufferPointer(memory.message(slot)), to: channel.peer, tag: channel.tag), answer
    )
  }

  /// Moves everything forward without waiting; whether `acquire` would return at once. A look has no deadline: who has
  /// nothing else to do waits with `acquire`.
  @discardableResult public func poll() throws(CommunicationError) -> Bool {
    while returned < sent, let oldest = requests[returned % count],
      try channel.communicator.test(oldest.answer), try channel.communicator.test(oldest.register)
    {
      try settle()
    }
    if returned == sent, !hasFinished, let last = farewell?.requests.last { _ = try channel.communicator.test(last) }
    return sent - returned < count
  }

  /// Tells the receiver that nothing follows. Does not wait; may be called twice.
  public func end() throws(CommunicationError) {
    guard farewell == nil else { return }
    // One message for each receive that the receiver has posted, or will post as it releases its registers.
    let last = ChannelMemory(channel, messages: 1)
    last.setHeader(0, RegisterChannel.Header(sequence: Int64(sent), filled: -1, count: Int64(count)))
    farewell = (last, [])
    for _ in 0..<count {
      let request = try channel.communicator.startSend(
        UnsafeBufferPointer(last.message(0)), to: channel.peer, tag: channel.tag)
      farewell?.requests.append(request)
    }
  }

  /// Ends, and returns when the receiver has given everything back: nothing of the channel is pending here then. Every
  /// channel finishes, unless there was an error. A rank with several channels first ends its senders, then finishes all.
  /// May be called twice.
  public func finish() throws(CommunicationError) {
    if hasFinished { return }
    try end()
    while returned < sent { try settle() }
    if let farewell {
      for request in farewell.requests { try channel.communicator.wait(request) }
      farewell.memory.free()
    }
    hasFinished = true
  }

  /// Waits until the oldest register is given back.
  private func settle() throws(CommunicationError) {
    let slot = returned % count
    guard let oldest = requests[slot] else { preconditionFailure("register \(returned) was not sent") }
    requests[slot] = nil
    try channel.communicator.wait(oldest.answer)
    try channel.communicator.wait(oldest.register)
    let answer = memory.answer(slot)
    guard answer.sequence == Int64(returned) else {
      throw channel.mismatch("register \(answer.sequence) back", "register \(returned)")
    }
    if answer.isWanted == 0 { isWanted = false }
    returned += 1
  }
}

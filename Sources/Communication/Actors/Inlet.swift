/// The end of a graph into which the caller's thread puts registers, in order. Used by one thread at a time.
public struct Inlet<Failure: Error>: Sendable {
  let graph: ActorGraph<Failure>
  let end: InletEnd

  /// A free register to write to; the same one until it is sent. Sleeps until there is one, which is the back-pressure. Nil
  /// when nobody reads any more, and after `stop`; throws what failed.
  public func acquire() throws(Failure) -> UnsafeMutableRawBufferPointer? {
    if let register = end.acquire() { return end.descriptor.room(register) }
    if let error = graph.failure.error { throw error }
    return nil
  }

  /// Hands the acquired register to the consumers, its first `byteCount` bytes filled; all of them by default.
  public func send(byteCount: Int? = nil) { end.send(byteCount ?? end.descriptor.byteCount) }

  /// Tells the consumers that nothing follows. May be called twice.
  public func close() { end.close() }
}

/// What an inlet knows.
///
/// `@unchecked Sendable`: everything that changes is guarded by the gate.
final class InletEnd: ActorRecipient, @unchecked Sendable {
  let descriptor: RegisterDescriptor
  private let crew: ActorCrew
  private let gate = ThreadGate()
  private let output: OutputPort
  private var isClosed = false

  init(_ descriptor: RegisterDescriptor, _ crew: ActorCrew) {
    self.descriptor = descriptor
    self.crew = crew
    output = OutputPort(descriptor)
    descriptor.connect(producer: self, port: 0)
  }

  func begin() { output.begin() }
  func wake() { gate.wake() }

  func deliver(_ message: ActorMessage) {
    gate.lock()
    switch message.kind {
    case .acknowledgement: output.acknowledge(message.register)
    case .enough: output.loseInterest()
    case .start, .register, .endOfStream: break
    }
    gate.signal()
    gate.unlock()
  }

  /// The free register that is sent next; nil where it would serve nobody.
  func acquire() -> Int? {
    gate.lock()
    defer { gate.unlock() }
    precondition(!isClosed, "an inlet that was closed")
    while output.free.isEmpty, output.interested > 0, !crew.isHalted { gate.wait() }
    return crew.isHalted || output.interested == 0 ? nil : output.free.first
  }

  func send(_ bytes: Int) {
    gate.lock()
    precondition(!isClosed && !output.free.isEmpty, "an inlet sends what it acquired")
    let register = output.lend()
    gate.unlock()
    descriptor.setFilled(register, bytes)
    descriptor.announce(.register, register: register)
  }

  func close() {
    gate.lock()
    let wasClosed = isClosed
    isClosed = true
    gate.unlock()
    if !wasClosed { descriptor.announce(.endOfStream) }
  }
}

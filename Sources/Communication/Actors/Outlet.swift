/// The end of a graph from which the caller's thread takes filled registers, in order. Used by one thread at a time.
public struct Outlet<Failure: Error>: Sendable {
  let graph: ActorGraph<Failure>
  let end: OutletEnd

  /// A filled register, until it is released.
  public struct Taken {
    /// Its number among those of its descriptor.
    public let register: Int
    /// What its producer filled.
    public let bytes: UnsafeRawBufferPointer
  }

  /// The next register; nil after the last, and after `stop`. Sleeps until there is one. What reached the outlet before a
  /// failure is handed out before the failure is thrown. At most as many registers as there are may be held at once.
  public func next() throws(Failure) -> Taken? {
    if let register = end.take() { return Taken(register: register, bytes: end.descriptor.contents(register)) }
    if let error = graph.failure.error { throw error }
    return nil
  }

  /// Gives a register back, in any order.
  public func release(_ register: Int) { end.release(register) }

  /// Takes no more: what is held or comes is given back at once, and producers that nobody else reads end too.
  public func close() { end.close() }
}

/// What an outlet knows.
///
/// `@unchecked Sendable`: everything that changes is guarded by the gate.
final class OutletEnd: ActorRecipient, @unchecked Sendable {
  let descriptor: RegisterDescriptor
  private let crew: ActorCrew
  private let gate = ThreadGate()
  private let input: InputPort
  private let isHeld: UnsafeMutablePointer<Bool>
  private var held = 0
  private var isClosed = false

  init(_ descriptor: RegisterDescriptor, _ crew: ActorCrew) {
    self.descriptor = descriptor
    self.crew = crew
    input = InputPort(descriptor)
    isHeld = .allocate(capacity: descriptor.count)
    isHeld.initialize(repeating: false, count: descriptor.count)
    descriptor.connect(consumer: self, port: 0)
  }

  deinit { isHeld.deallocate() }

  func wake() { gate.wake() }

  func deliver(_ message: ActorMessage) {
    gate.lock()
    let refuses = isClosed && message.kind == .register
    switch message.kind {
    case .register: if !refuses { input.ready.append(message.register) }
    case .endOfStream: input.hasEnded = true
    case .start, .acknowledgement, .enough: break
    }
    gate.signal()
    gate.unlock()
    if refuses { descriptor.answer(.acknowledgement, register: message.register) }
  }

  /// The next register; nil where none will come.
  func take() -> Int? {
    gate.lock()
    defer { gate.unlock() }
    precondition(held < descriptor.count, "all \(descriptor.count) registers are held; release one before the next")
    while input.ready.isEmpty, !input.hasEnded, !isClosed, !crew.isHalted { gate.wait() }
    if input.ready.isEmpty || crew.state == .stopped { return nil }
    let register = input.ready.removeFirst()
    isHeld[register] = true
    held += 1
    return register
  }

  func release(_ register: Int) {
    gate.lock()
    precondition(isHeld[register], "register \(register) was given back twice")
    isHeld[register] = false
    held -= 1
    gate.unlock()
    descriptor.answer(.acknowledgement, register: register)
  }

  func close() {
    gate.lock()
    let wasClosed = isClosed
    isClosed = true
    let hadEnded = input.hasEnded
    gate.unlock()
    if wasClosed { return }
    if !hadEnded { descriptor.answer(.enough) }
    // Closed, it is given nothing more: what it has is the caller's alone.
    while !input.ready.isEmpty { descriptor.answer(.acknowledgement, register: input.ready.removeFirst()) }
    for register in 0..<descriptor.count where isHeld[register] { release(register) }
  }
}

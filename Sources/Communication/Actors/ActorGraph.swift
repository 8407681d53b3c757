/// Actors that hand registers to each other: a pipeline, or any graph without cycles, inside one process.
///
/// First everything is made: streams, registers, actors, ends. Then `start` makes one thread for each stream, and actors act
/// while they have registers to read and to fill. There is no central scheduler: an actor knows its own registers only. The
/// order of each register stream is its producer's, whatever the timing; memory is what the descriptors say.
///
/// When an actor throws, all others end after their present act, and the error is thrown at every end and by `wait`.
/// Costs: a register costs k + k messages for k consumers, each a lock and a wake-up; nothing is allocated after `start`.
///
/// A graph ends by itself once its sources have, or by `stop`, which its death calls too. Bodies must not keep the graph or
/// its ends alive.
///
/// `@unchecked Sendable`: made, started, waited for and stopped by one thread; what others see is guarded by gates.
public final class ActorGraph<Failure: Error>: @unchecked Sendable {
  let crew = ActorCrew()
  let failure = FirstFailure<Failure>()
  private var streams: [ActorStream] = []
  private var descriptors: [RegisterDescriptor] = []
  private var outlets: [OutletEnd] = []
  private var inlets: [InletEnd] = []
  private var hasStarted = false

  /// A graph of nothing.
  public init() {}

  deinit { stop() }

  /// Adds a thread on which actors can run.
  public func makeStream() -> ActorStream {
    checkNew()
    let stream = ActorStream(crew)
    streams.append(stream)
    crew.wakeups.append { [unowned stream] in stream.wake() }
    return stream
  }

  /// Adds registers; `count` of 1 is strictly serial, 2 or more is pipelining.
  public func makeRegisters(count: Int, byteCount: Int = 0) -> RegisterDescriptor {
    checkNew()
    let descriptor = RegisterDescriptor(count: count, byteCount: byteCount)
    descriptors.append(descriptor)
    return descriptor
  }

  /// Adds an actor. `body` is called for each act, on the thread of the stream, with one register of each descriptor.
  public func addActor(
    on stream: ActorStream, reading: [RegisterDescriptor] = [], writing: [RegisterDescriptor] = [],
    _ body: @escaping @Sendable (ActorTurn) throws(Failure) -> ActorOutcome
  ) {
    checkNew()
    let failure = failure
    stream.addActor(reading: reading, writing: writing) { turn in
      do throws(Failure) {
        switch try body(turn) {
        case .produced: return .produced
        case .ended: return .ended
        }
      } catch {
        failure.record(error)
        return .failed
      }
    }
  }

  /// Adds an end from which the caller's thread takes registers: one more consumer of them.
  public func makeOutlet(of descriptor: RegisterDescriptor) -> Outlet<Failure> {
    checkNew()
    let end = OutletEnd(descriptor, crew)
    outlets.append(end)
    crew.wakeups.append { [unowned end] in end.wake() }
    return Outlet(graph: self, end: end)
  }

  /// Adds an end into which the caller's thread puts registers: their producer.
  public func makeInlet(to descriptor: RegisterDescriptor) -> Inlet<Failure> {
    checkNew()
    let end = InletEnd(descriptor, crew)
    inlets.append(end)
    crew.wakeups.append { [unowned end] in end.wake() }
    return Inlet(graph: self, end: end)
  }

  /// Starts all threads. Every descriptor must have a producer and a consumer. Throws `.library` where the system has no
  /// thread left; then none runs.
  public func start() throws(CommunicationError) {
    checkNew()
    for (index, descriptor) in descriptors.enumerated() {
      precondition(descriptor.isConnected, "the registers made as number \(index) lack a producer or a consumer")
    }
    hasStarted = true
    for inlet in inlets { inlet.begin() }
    for stream in streams { stream.prepare() }
    do throws(CommunicationError) {
      for stream in streams { try stream.launch() }
    } catch {
      stop()
      throw error
    }
  }

  /// Returns when every actor has ended and every register is back; throws what failed first. What the ends hold must be
  /// given back, and what lies before an outlet be taken, by another thread if not before.
  public func wait() throws(Failure) {
    for stream in streams { stream.join() }
    if let error = failure.error { throw error }
  }

  /// Ends all threads after their present act and waits for them. What was not taken from outlets is dropped. May be called
  /// twice.
  public func stop() {
    crew.stop()
    for stream in streams { stream.join() }
  }

  private func checkNew() { precondition(!hasStarted, "a graph is complete when it starts") }
}

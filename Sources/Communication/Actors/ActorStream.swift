import Glibc

/// A thread with a queue of messages, and the actors that run on it: one at a time, in the order of the messages.
///
/// The thread sleeps while the queue is empty and ends with the last of its actors.
///
/// `@unchecked Sendable`: the queue is guarded by the gate; the actors are complete before the thread starts.
public final class ActorStream: @unchecked Sendable {
  private let gate = ThreadGate()
  private let crew: ActorCrew
  private var actors: [StreamActor] = []
  private var mail = FixedQueue<Letter>(capacity: 0)
  private var thread: pthread_t?

  private struct Letter: BitwiseCopyable {
    let actor: Int
    let message: ActorMessage
  }

  init(_ crew: ActorCrew) { self.crew = crew }

  /// Whether nobody is to act any more.
  var isHalted: Bool { crew.isHalted }

  /// Ends all actors of the graph.
  func fail() { crew.fail() }

  func wake() { gate.wake() }

  func addActor(
    reading: [RegisterDescriptor], writing: [RegisterDescriptor],
    _ body: @escaping @Sendable (ActorTurn) -> StreamActor.Result
  ) {
    actors.append(StreamActor(self, place: actors.count, reading: reading, writing: writing, body))
  }

  /// Adds a message to the queue, from any thread.
  func post(_ message: ActorMessage, to actor: Int) {
    gate.lock()
    mail.append(Letter(actor: actor, message: message))
    gate.signal()
    gate.unlock()
  }

  /// Makes room for all messages that can lie in the queue and tells the actors to start.
  func prepare() {
    mail = FixedQueue(capacity: actors.reduce(0) { $0 + $1.largestMail })
    for actor in actors { actor.deliver(ActorMessage(kind: .start)) }
  }

  /// Starts the thread.
  func launch() throws(CommunicationError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, 64 << 20)
    defer { pthread_attr_destroy(&attributes) }
    let context = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { context in
        if let context { Unmanaged<ActorStream>.fromOpaque(context).takeRetainedValue().serve() }
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw CommunicationError(
        .library(Int(code)), "cannot start the thread of a stream: \(String(cString: strerror(code)))")
    }
    self.thread = thread
  }

  /// Returns when the thread has ended.
  func join() {
    guard let thread else { return }
    pthread_join(thread, nil)
    self.thread = nil
  }

  private func serve() {
    var running = actors.count
    while running > 0, let letter = next() {
      let actor = actors[letter.actor]
      if actor.isFinished { continue }  // a consumer lost interest when all was over
      actor.receive(letter.message)
      if actor.isFinished { running -= 1 }
    }
  }

  /// The oldest message; nil once nobody is to act any more.
  private func next() -> Letter? {
    gate.lock()
    defer { gate.unlock() }
    while mail.isEmpty, !crew.isHalted { gate.wait() }
    return crew.isHalted ? nil : mail.removeFirst()
  }
}

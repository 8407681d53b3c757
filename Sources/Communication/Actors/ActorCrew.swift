import Synchronization

/// What all threads of a graph share: whether it goes on, and whom to wake when it does not.
///
/// `@unchecked Sendable`: the lists are complete before threads start.
final class ActorCrew: @unchecked Sendable {
  /// How far a graph is.
  enum State: UInt8, AtomicRepresentable { case running, failed, stopped }

  var wakeups: [() -> Void] = []
  private let current = Atomic<State>(.running)

  var state: State { current.load(ordering: .sequentiallyConsistent) }
  var isHalted: Bool { state != .running }

  /// Ends everything after a failure: threads after their present act; what reached an outlet before is still handed out.
  func fail() {
    _ = current.compareExchange(expected: .running, desired: .failed, ordering: .sequentiallyConsistent)
    for wake in wakeups { wake() }
  }

  /// Ends everything on demand: threads after their present act, ends at once.
  func stop() {
    current.store(.stopped, ordering: .sequentiallyConsistent)
    for wake in wakeups { wake() }
  }
}

/// The first failure of a graph.
final class FirstFailure<Failure: Error>: Sendable {
  private let first = Mutex<Failure?>(nil)

  var error: Failure? { first.withLock { $0 } }

  func record(_ error: Failure) { first.withLock { $0 = $0 ?? error } }
}

import Glibc
import Synchronization

/// Work on a thread of its own that takes what the training leaves of the processors.
///
/// `@unchecked Sendable`: the result is written before `isDone` says so, and read after.
final class BackgroundTask<Value>: @unchecked Sendable {
  private let body: () -> Value
  private var value: Value?
  private let done = Atomic<Bool>(false)
  private var thread: pthread_t = 0
  private var isJoined = false

  /// Starts the work.
  init(_ body: @escaping () -> Value) throws(RunError) {
    self.body = body
    let context = Unmanaged.passRetained(self as AnyObject)
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        (Unmanaged<AnyObject>.fromOpaque(context).takeRetainedValue() as? any BackgroundWork)?.run()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      isJoined = true
      throw RunError(.refused, "cannot start a thread to write with: \(String(cString: strerror(code)))")
    }
  }

  deinit {
    if !isJoined { pthread_detach(thread) }
  }

  /// Whether the result is there.
  var isDone: Bool { done.load(ordering: .acquiring) }

  /// The result, as soon as it is there.
  func wait() -> Value {
    if !isJoined { pthread_join(thread, nil) }
    isJoined = true
    guard let value else { preconditionFailure("a task that ended without a result") }
    return value
  }
}

/// What a thread is told to do, whatever its result.
private protocol BackgroundWork: AnyObject {
  func run()
}

extension BackgroundTask: BackgroundWork {
  fileprivate func run() {
    // On Linux this is the calling thread's own niceness; a refusal costs time and nothing else.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    value = body()
    done.store(true, ordering: .releasing)
  }
}

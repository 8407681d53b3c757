import Glibc

/// A lock with a condition that at most one thread waits for; waiting uses no processor.
///
/// `@unchecked Sendable`: the system's own lock, which never moves.
final class ThreadGate: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }
  /// Gives the lock away until the gate is signalled, or sometimes for no reason.
  func wait() { pthread_cond_wait(changed, mutex) }
  func signal() { pthread_cond_signal(changed) }

  /// Lets the waiting thread look again.
  func wake() {
    lock()
    signal()
    unlock()
  }
}

import Glibc
import Tensors

/// The plans of one program by batch size, recorded when first asked for and shared by all workers.
///
/// `@unchecked Sendable`: the plans are guarded by the mutex.
public final class PlanCache: @unchecked Sendable {
  private let make: @Sendable (Int) -> Plan
  private var plans: [Int: Plan] = [:]
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  /// No plans yet; `make` records one for a batch size.
  public init(_ make: @escaping @Sendable (Int) -> Plan) {
    self.make = make
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// The plan for a batch size.
  public func plan(_ batch: Int) -> Plan {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let known = plans[batch] { return known }
    let made = make(batch)
    plans[batch] = made
    return made
  }
}

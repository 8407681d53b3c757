import Federated
import Foundation
import Synchronization

/// Trains in a thread of its own, so that the connection lives on meanwhile.  One visit at a time.
///
/// `@unchecked Sendable`: the client is the thread's from ``start(_:_:)`` until ``result`` has been taken.
final class VisitThread: @unchecked Sendable {
  /// Readable once a visit is done.
  let done = Wakeup()
  private let outcome = Mutex<Result<VisitReport, FederatedError>?>(nil)
  private let running = DispatchGroup()

  func start(_ client: any VisitingClient, _ order: VisitOrder) {
    nonisolated(unsafe) let client = client
    running.enter()
    let thread = Thread { [self] in
      let result: Result<VisitReport, FederatedError>
      do throws(FederatedError) { result = .success(try client.visit(order)) } catch { result = .failure(error) }
      outcome.withLock { $0 = result }
      running.leave()
      done.call()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// What the visit came to; nil before it is done.
  func take() -> Result<VisitReport, FederatedError>? {
    done.clear()
    return outcome.withLock { outcome in
      defer { outcome = nil }
      return outcome
    }
  }

  /// Waits for the end of a visit.
  func join() { running.wait() }
}

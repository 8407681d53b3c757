import Synchronization

/// Where a server writes how it stands and a status page reads it, each on a thread of its own.
public final class StatusBoard: Sendable {
  private let status: Mutex<FederationStatus>

  /// A board that shows a status.
  public init(_ status: FederationStatus) { self.status = Mutex(status) }

  /// The status at this moment. Complexity: O(1); arrays are copied when they are next written.
  public var snapshot: FederationStatus { status.withLock { $0 } }

  /// Changes the status; no reader sees it half changed.
  public func update(_ change: (inout FederationStatus) -> Void) { status.withLock { change(&$0) } }
}

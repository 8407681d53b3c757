/// Why a federation over a network cannot go on, or could not begin.
public struct NetworkError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong.
  public enum Kind: Sendable, Hashable, CaseIterable {
    /// The configuration cannot be used over a network.
    case configuration
    /// The command line makes no sense.
    case usage
    /// The other side does not know this side's key, or this side not the other's.
    case unauthorised
    /// The other side is gone.
    case peerLost
    /// Files, addresses, memory or a limit stand against it.
    case refused
    /// A file is missing or damaged.
    case data
    /// The other side says what nobody may say at that point.
    case protocolViolation
    /// A signal ended it.
    case stopped
    /// A mistake in this program.
    case `internal`
  }

  /// What went wrong.
  public let kind: Kind
  /// One line that names peer, file or parameter and says what to do.
  public let message: String

  /// An error of a kind.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

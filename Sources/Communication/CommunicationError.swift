/// Why ranks could not talk to each other.
///
/// After one of these a communicator is of no further use, and the buffers of its unfinished requests may still be
/// written to: report the message and leave.
public struct CommunicationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of failure it was, which decides the exit code.
  public enum Kind: Sendable, Hashable {
    /// A rank ended, or failed, while others waited for it.
    case peerLost
    /// Ranks called different collectives, or the same with other counts, types, roots or labels.
    case mismatch
    /// A rank did not answer before the deadline.
    case timeout
    /// A setting of the environment cannot be used.
    case setting
    /// The library below reported this code.
    case library(Int)
  }

  /// What kind of failure it was.
  public let kind: Kind
  /// One line that names the ranks, what they were doing, and what to do.
  public let message: String

  /// An error of a kind, with its message.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

/// Why a federated run cannot go on: one line that names the client, file or parameter and what to do.
public struct FederatedError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of failure it was, which decides the exit code.
  public enum Kind: Sendable, Hashable {
    /// The configuration asks for what cannot be.
    case configuration
    /// Data outside the program are not as needed.
    case data
    /// Memory, disk or a budget does not allow it.
    case refused
    /// The loss or the parameters are not finite.
    case diverged
    /// A word on the command line is not as expected.
    case usage
    /// A key is missing, wrong, or not admitted.
    case unauthorised
    /// Whoever is at the other end of the network cannot be reached, or breaks the rules.
    case peerLost
    /// A signal asked to stop; the state is kept.
    case stopped
    /// The program contradicts itself.
    case internalError
  }

  /// What kind of failure it was.
  public let kind: Kind
  /// The whole line.
  public let message: String

  /// An error of a kind, with its line.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

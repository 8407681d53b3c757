/// Why a step of secure aggregation cannot be made: one line that names the client and what is wrong.
public struct SecureAggregationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of failure it was.
  public enum Kind: Sendable, Hashable {
    /// Bytes are no message, or a message has what the protocol never has.
    case malformed
    /// Keys, shares or secrets are not what they must be if nobody changed them.
    case forged
    /// Something is asked for, or comes, that must not: the wrong stage or round, twice, or both secrets of a client.
    case refused
    /// Too few clients are left: the round ends without a sum.
    case tooFew
  }

  /// What kind of failure it was.
  public let kind: Kind
  /// Whom it is about, where that is known.
  public let client: Int?
  /// The whole line.
  public let message: String

  init(_ kind: Kind, client: Int? = nil, _ message: String) {
    self.kind = kind
    self.client = client
    self.message = message
  }

  /// The message.
  public var description: String { message }

  /// Fewer clients than the threshold.
  static func tooFew(_ left: Int, of clients: Int, at stage: SecureStage, needed: Int, around client: Int? = nil)
    -> SecureAggregationError
  {
    let place = client.map { " around client \($0)" } ?? ""
    return SecureAggregationError(
      .tooFew, client: client,
      "\(left) of \(clients) clients\(place) are left at the \(stage.rawValue), \(needed) are needed")
  }
}

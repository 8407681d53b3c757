/// Client to server: whose shares it could not open.  13 + 4c bytes for c of them, 13 where all is well.
public struct OpenedShares: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 7
  /// Rounds before.
  public let round: Int
  /// Senders whose boxes stay closed, ascending.
  public let closed: [Int]

  package init(round: Int, closed: [Int]) {
    self.round = round
    self.closed = closed
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    closed = try reader.list(bytes: 4) { (client, _) throws(SecureAggregationError) in client }
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    writer.count(closed.count)
    for client in closed { writer.client(client) }
  }
}

/// Server to client: the neighbours that it shares masks with.  At most 13 + 4k bytes.
public struct MaskPartners: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 8
  /// Rounds before.
  public let round: Int
  /// Ascending, without the receiver: a pair of which one could not open the other's shares are no partners.
  public let clients: [Int]

  package init(round: Int, clients: [Int]) {
    self.round = round
    self.clients = clients
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    clients = try reader.list(bytes: 4) { (client, _) throws(SecureAggregationError) in client }
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    writer.count(clients.count)
    for client in clients { writer.client(client) }
  }
}

/// Server to client: who of its neighbourhood has sent a masked input; the others whose shares it holds have dropped.  At most
/// 17 + 4k bytes.
public struct SurvivorList: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 5
  /// Rounds before.
  public let round: Int
  /// Ascending, the receiver included.
  public let survivors: [Int]

  package init(round: Int, survivors: [Int]) {
    self.round = round
    self.survivors = survivors
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    survivors = try reader.list(bytes: 4) { (client, _) throws(SecureAggregationError) in client }
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    writer.count(survivors.count)
    for client in survivors { writer.client(client) }
  }
}

/// Client to server: of each client of its neighbourhood the share of one secret.  At most 53 + 36k bytes.
public struct RevealedShares: SecureMessage {
  /// A share of a secret.
  public struct Share: Sendable, Hashable {
    /// Whose secret it is.
    public let client: Int
    /// The share.
    public let bytes: [UInt8]

    package init(client: Int, bytes: [UInt8]) {
      self.client = client
      self.bytes = bytes
    }
  }

  /// The first byte.
  public static let kind: UInt8 = 6
  /// Rounds before.
  public let round: Int
  /// Of the seeds of survivors' own masks, ascending.
  public let seeds: [Share]
  /// Of the mask keys of those who dropped, ascending.
  public let keys: [Share]

  package init(round: Int, seeds: [Share], keys: [Share]) {
    self.round = round
    self.seeds = seeds
    self.keys = keys
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    seeds = try RevealedShares.list(&reader)
    keys = try RevealedShares.list(&reader)
  }

  private static func list(_ reader: inout SecureMessageReader) throws(SecureAggregationError) -> [Share] {
    try reader.list(bytes: 4 + Secret.bytes) { (client, reader) throws(SecureAggregationError) in
      Share(client: client, bytes: try reader.bytes(Secret.bytes))
    }
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    for list in [seeds, keys] {
      writer.count(list.count)
      for share in list {
        writer.client(share.client)
        writer.bytes += share.bytes
      }
    }
  }
}

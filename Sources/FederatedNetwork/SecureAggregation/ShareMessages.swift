/// Shares of both secrets of one client for another, encrypted between the two.
public struct SealedShares: Sendable, Hashable {
  /// The other client: the receiver on the way to the server, the sender on the way from it.
  public let client: Int
  /// Nonce, ciphertext and tag.
  public let box: [UInt8]

  package init(client: Int, box: [UInt8]) {
    self.client = client
    self.box = box
  }

  static func read(_ reader: inout SecureMessageReader) throws(SecureAggregationError) -> [SealedShares] {
    try reader.list(bytes: 4 + PairChannel.boxBytes) { (client, reader) throws(SecureAggregationError) in
      SealedShares(client: client, box: try reader.bytes(PairChannel.boxBytes))
    }
  }

  static func write(_ shares: [SealedShares], _ writer: inout SecureMessageWriter) {
    writer.count(shares.count)
    for share in shares {
      writer.client(share.client)
      writer.bytes += share.box
    }
  }
}

/// Client to server: shares for all of its neighbours.  45 + 108k bytes.
public struct SharedSecrets: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 3
  /// Rounds before.
  public let round: Int
  /// BLAKE2b of the seed of the client's own mask, by which shares of it are checked.
  public let commitment: [UInt8]
  /// By receiver, ascending.
  public let shares: [SealedShares]

  package init(round: Int, commitment: [UInt8], shares: [SealedShares]) {
    self.round = round
    self.commitment = commitment
    self.shares = shares
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    commitment = try reader.bytes(Secret.bytes)
    shares = try SealedShares.read(&reader)
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    writer.bytes += commitment
    SealedShares.write(shares, &writer)
  }
}

/// Server to client: what its neighbours have shared with it.  At most 13 + 108k bytes.
public struct DeliveredShares: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 4
  /// Rounds before.
  public let round: Int
  /// By sender, ascending: neighbours that shared nothing are not there.
  public let shares: [SealedShares]

  package init(round: Int, shares: [SealedShares]) {
    self.round = round
    self.shares = shares
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    shares = try SealedShares.read(&reader)
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) { SealedShares.write(shares, &writer) }
}

/// A client's ephemeral X25519 keys: one agrees on what shares are encrypted with, one on masks.
public struct EphemeralKeys: Sendable, Hashable {
  /// For shares.
  public let encryption: [UInt8]
  /// For masks; its secret half is shared among neighbours.
  public let mask: [UInt8]

  package init(encryption: [UInt8], mask: [UInt8]) {
    self.encryption = encryption
    self.mask = mask
  }

  static let bytes = 2 * KeyPair.bytes

  init(_ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    encryption = try reader.bytes(KeyPair.bytes)
    mask = try reader.bytes(KeyPair.bytes)
  }

  func write(_ writer: inout SecureMessageWriter) { writer.bytes += encryption + mask }
}

/// A client with its ephemeral keys.
public struct SecureParty: Sendable, Hashable {
  /// Who it is.
  public let client: Int
  /// Its keys.
  public let keys: EphemeralKeys

  package init(client: Int, keys: EphemeralKeys) {
    self.client = client
    self.keys = keys
  }
}

/// Client to server: its ephemeral keys.  73 bytes.
public struct KeyAdvertisement: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 1
  /// Rounds before.
  public let round: Int
  /// Its keys.
  public let keys: EphemeralKeys

  package init(round: Int, keys: EphemeralKeys) {
    self.round = round
    self.keys = keys
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    keys = try EphemeralKeys(&reader)
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) { keys.write(&writer) }
}

/// Server to client: its neighbours with their keys.  13 + 68k bytes.
public struct NeighbourKeys: SecureMessage {
  /// The first byte.
  public static let kind: UInt8 = 2
  /// Rounds before.
  public let round: Int
  /// Ascending, without the receiver.
  public let neighbours: [SecureParty]

  package init(round: Int, neighbours: [SecureParty]) {
    self.round = round
    self.neighbours = neighbours
  }

  /// Reads the body.
  public init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError) {
    self.round = round
    neighbours = try reader.list(bytes: 4 + EphemeralKeys.bytes) { (client, reader) throws(SecureAggregationError) in
      SecureParty(client: client, keys: try EphemeralKeys(&reader))
    }
  }

  /// Writes the body.
  public func write(_ writer: inout SecureMessageWriter) {
    writer.count(neighbours.count)
    for neighbour in neighbours {
      writer.client(neighbour.client)
      neighbour.keys.write(&writer)
    }
  }
}

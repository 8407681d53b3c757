/// A message of the protocol: small, for one round, with one encoding only.
///
/// Bytes: the kind, the round in 8 bytes, then the body; numbers are little-endian, clients 4 bytes and strictly ascending in
/// every list, lists begin with 4 bytes of count.  What is not exactly that is ``SecureAggregationError/Kind/malformed``.
public protocol SecureMessage: Sendable, Hashable {
  /// The first byte.
  static var kind: UInt8 { get }
  /// Rounds before the one that it belongs to.
  var round: Int { get }
  /// Reads the body.
  init(round: Int, _ reader: inout SecureMessageReader) throws(SecureAggregationError)
  /// Writes the body.
  func write(_ writer: inout SecureMessageWriter)
}

extension SecureMessage {
  /// The message of some bytes, all of them.
  public init(_ bytes: [UInt8]) throws(SecureAggregationError) {
    var reader = SecureMessageReader(bytes, of: Self.self)
    guard try reader.byte() == Self.kind else { throw reader.error("is of another kind") }
    let round = try reader.round()
    self = try Self(round: round, &reader)
    guard reader.isAtEnd else { throw reader.error("goes on after its end") }
  }

  /// Its bytes.
  public var bytes: [UInt8] {
    var writer = SecureMessageWriter()
    writer.bytes.append(Self.kind)
    writer.number(UInt64(round))
    write(&writer)
    return writer.bytes
  }
}

/// Reads messages without ever passing their end.
public struct SecureMessageReader {
  private let bytes: [UInt8]
  private let name: String
  private var place = 0

  init(_ bytes: [UInt8], of type: any SecureMessage.Type) {
    self.bytes = bytes
    name = "\(type)"
  }

  var isAtEnd: Bool { place == bytes.count }

  func error(_ what: String) -> SecureAggregationError {
    SecureAggregationError(.malformed, "a message \(name) of \(bytes.count) bytes \(what)")
  }

  mutating func bytes(_ count: Int) throws(SecureAggregationError) -> [UInt8] {
    guard count <= bytes.count - place else { throw error("ends too early") }
    defer { place += count }
    return Array(bytes[place..<place + count])
  }

  mutating func byte() throws(SecureAggregationError) -> UInt8 { try bytes(1)[0] }

  private mutating func number(_ count: Int) throws(SecureAggregationError) -> UInt64 {
    try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func round() throws(SecureAggregationError) -> Int {
    guard let round = Int(exactly: try number(8)) else { throw error("has no round") }
    return round
  }

  mutating func client() throws(SecureAggregationError) -> Int { Int(try number(4)) }

  /// A list whose entries begin with a client and are at least so many bytes long: no count makes it reserve more than came.
  mutating func list<Entry>(
    bytes: Int, _ entry: (Int, inout SecureMessageReader) throws(SecureAggregationError) -> Entry
  ) throws(SecureAggregationError) -> [Entry] {
    let count = Int(try number(4))
    guard count <= (self.bytes.count - place) / bytes else { throw error("ends before its list") }
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    var latest = -1
    for _ in 0..<count {
      let client = try client()
      guard client > latest else { throw error("lists clients out of order") }
      latest = client
      entries.append(try entry(client, &self))
    }
    return entries
  }
}

/// Writes messages.
public struct SecureMessageWriter {
  var bytes: [UInt8] = []

  mutating func number(_ number: UInt64) { append(number, 8) }

  mutating func client(_ client: Int) { append(UInt64(client), 4) }

  mutating func count(_ count: Int) { append(UInt64(count), 4) }

  private mutating func append(_ number: UInt64, _ count: Int) {
    for place in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
  }
}

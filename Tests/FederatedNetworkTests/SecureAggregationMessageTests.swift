import FederatedNetwork
import Tensors
import Testing

@Suite("Messages of secure aggregation have one encoding, and anything else is refused")
struct SecureAggregationMessageTests {
  private static func bytes(_ count: Int, _ random: inout RandomStream) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  /// One of each kind.
  private static func messages(_ random: inout RandomStream) -> [any SecureMessage] {
    func keys() -> EphemeralKeys { EphemeralKeys(encryption: bytes(32, &random), mask: bytes(32, &random)) }
    let clients = [0, 3, 70_000, Int(UInt32.max)]
    let boxes = clients.map { SealedShares(client: $0, box: bytes(104, &random)) }
    let shares = clients.map { RevealedShares.Share(client: $0, bytes: bytes(32, &random)) }
    return [
      KeyAdvertisement(round: .max, keys: keys()),
      NeighbourKeys(round: 0, neighbours: clients.map { SecureParty(client: $0, keys: keys()) }),
      SharedSecrets(round: 9, commitment: bytes(32, &random), shares: boxes),
      DeliveredShares(round: 1 << 40, shares: boxes), SurvivorList(round: 5, survivors: clients),
      RevealedShares(round: 3, seeds: Array(shares[..<3]), keys: Array(shares[3...])),
      OpenedShares(round: 2, closed: clients), MaskPartners(round: 8, clients: clients),
      NeighbourKeys(round: 0, neighbours: []), SurvivorList(round: 5, survivors: []),
      OpenedShares(round: 2, closed: []),
    ]
  }

  /// Reads as the type of another message.
  private static func read<Message: SecureMessage>(_ bytes: [UInt8], as: Message.Type) throws -> Message {
    try Message(bytes)
  }

  private static func survives<Message: SecureMessage>(_ message: Message) throws -> Bool {
    try Message(message.bytes) == message
  }

  @Test("What is written is read, and the lengths are those of the documentation")
  func roundTrip() throws {
    var random = RandomStream(seed: 1, .test)
    let messages = Self.messages(&random)
    for message in messages { #expect(try Self.survives(message)) }
    #expect(
      messages.prefix(8).map { $0.bytes.count }
        == [73, 13 + 68 * 4, 45 + 108 * 4, 13 + 108 * 4, 13 + 16, 17 + 36 * 4, 13 + 16, 13 + 16])
  }

  @Test("Every shorter and longer one, every other kind, and lists out of order are refused")
  func strict() throws {
    var random = RandomStream(seed: 2, .test)
    let messages = Self.messages(&random)
    for message in messages {
      let (type, bytes) = (type(of: message), message.bytes)
      for count in 0..<bytes.count {
        #expect(throws: SecureAggregationError.self) { try Self.read(Array(bytes[..<count]), as: type) }
      }
      #expect(throws: SecureAggregationError.self) { try Self.read(bytes + [0], as: type) }
      for other in messages where Swift.type(of: other) != type {
        #expect(throws: SecureAggregationError.self) { try Self.read(other.bytes, as: type) }
      }
    }
    for survivors in [[1, 1], [2, 1]] {
      let bytes = SurvivorList(round: 1, survivors: survivors).bytes
      #expect(throws: SecureAggregationError.self) { try SurvivorList(bytes) }
    }
    // A count that nobody could send is no reason to reserve memory.
    var huge = SurvivorList(round: 1, survivors: [1]).bytes
    for place in 9..<13 { huge[place] = 255 }
    #expect(throws: SecureAggregationError.self) { try SurvivorList(huge) }
  }

  @Test("Of 10,000 changed messages each is refused or is what its bytes say")
  func fuzz() {
    var random = RandomStream(seed: 3, .test)
    let messages = Self.messages(&random)
    var refused = 0
    for _ in 0..<10_000 {
      let message = messages[random.below(messages.count)]
      var bytes = message.bytes
      for _ in 0...random.below(4) {
        let place = random.below(max(1, bytes.count))
        switch random.below(5) {
        case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes.removeSubrange(min(place, bytes.count)...)
        case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: min(place, bytes.count))
        default: if place + 4 <= bytes.count { for byte in place..<place + 4 { bytes[byte] = 255 } }
        }
      }
      let type = type(of: messages[random.below(messages.count)])
      do {
        let read = try Self.read(bytes, as: type)
        if read.bytes != bytes { Issue.record("\(type) has two encodings") }
      } catch { refused += error is SecureAggregationError ? 1 : 0 }
    }
    #expect(refused > 5000 && refused < 10_000)
  }
}

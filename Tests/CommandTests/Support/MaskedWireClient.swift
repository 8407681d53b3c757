import Federated
import FederatedNetwork
import Foundation
import Testing

/// A client of masked rounds that speaks the wire by hand: it keeps to secure aggregation as far as a test wants, and its input
/// is all zeros.
final class MaskedWireClient {
  let wire: WireClient
  private let federation: NetworkFederation
  private let options: SecureAggregationOptions
  private var identity = ""

  init(_ federation: NetworkFederation, client: Int, _ options: SecureAggregationOptions = .init()) throws {
    self.federation = federation
    self.options = options
    wire = try WireClient(federation, client: client)
  }

  /// Greets, and says that it can be asked.
  func join(samples: Int) throws {
    wire.send(.hello, session: 0, Array("{\"client\":\(wire.client),\"program\":\"wire\"}".utf8))
    let welcome = try #require(wire.wait(for: .welcome))
    wire.session = welcome.session
    identity = try #require(welcome.json["federation"] as? String)
    wire.send(.ready, Array("{\"samples\":\(samples),\"process\":7}".utf8))
  }

  /// Its part in the next round, as far as its keys go.
  func begin(words: Int) throws -> (SecureClient, round: UInt64) {
    let message = try #require(wire.wait(for: .order))
    let order = try #require(message.json["order"] as? [String: Any])
    func number(_ key: String) -> Double { order[key] as? Double ?? 0 }
    let cohort = try #require(message.json["maskedAmong"] as? Int)
    let visit = VisitOrder(
      round: Int(message.round), epochs: 1, learningRate: number("learningRate"), weight: 1,
      totalWeight: Int(number("totalWeight")), changeLimit: order["changeLimit"] as? Double)
    let binding = MaskedExchange.binding(identity, wire.session, visit, among: cohort)
    let round = SecureRound(options, federation: binding, round: visit.round, cohort: cohort, words: words)
    var keys: [Int: [UInt8]] = [:]
    for client in 0..<federation.clients where client != wire.client {
      keys[client] = try MaskedWireClient.key(federation, "keys/clients/\(client).public")
    }
    let own = KeyPair(secretKey: try MaskedWireClient.key(federation, "keys/clients/\(wire.client).secret"))
    let client = SecureClient(wire.client, round, identity: own, publicKeys: keys)
    send(client.advertise(), round: message.round)
    return (client, message.round)
  }

  private static func key(_ federation: NetworkFederation, _ name: String) throws -> [UInt8] {
    try #require(KeyPair.key(of: String(try federation.tool.text(name).prefix(40))))
  }

  func send(_ message: some SecureMessage, round: UInt64) {
    wire.send(.share, round: round, offset: UInt64(message.bytes[0]), message.bytes)
  }

  /// What the server relays next.
  func relay<Message: SecureMessage>(_ type: Message.Type) throws -> Message {
    let message = try #require(wire.wait(for: .relay), "\(type)")
    return try Message(message.body ?? [])
  }

  /// Sends its masked input, and waits until the server asks for shares of all.
  func upload(_ client: SecureClient, round: UInt64, words: Int) throws {
    var input = [UInt64](repeating: 0, count: words)
    try input.withUnsafeMutableBufferPointer { (input) throws in try client.mask(input) }
    let file = WireClient.tensors("masked", "U64", [words], input.withUnsafeBytes { Array($0) })
    wire.send(.offer, round: round, total: UInt64(file.count), WireClient.report)
    _ = try #require(wire.wait(for: .grant))
    wire.send(.piece, round: round, offset: 0, total: UInt64(file.count), file)
    _ = try relay(SurvivorList.self)
  }
}

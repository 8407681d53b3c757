import FederatedNetwork
import Foundation
import Testing

/// The first masked round of a task, relayed again and again between clients, each time as if the server had been started anew,
/// and each time to the point at which clients give shares for a list of survivors.
final class MaskedReplay {
  /// What clients do about a list: who reveals shares, and what the others say.
  struct Answers {
    var revealed: Set<Int> = []
    var declined: [Int: String] = [:]
  }

  /// What has come in one start.
  private struct Stage {
    var samples: [Int: Int] = [:]
    var parties: [Int: EphemeralKeys] = [:]
    var boxes: [Int: [SealedShares]] = [:]
    var opened: Set<Int> = []
    var inputs: Set<Int> = []
    var answers = Answers()
  }

  private let server: WireServer
  private let task: [UInt8]
  private let clients: Range<Int>
  private var routes: [Int: [UInt8]] = [:]
  private var stage = Stage()

  init(_ server: WireServer, _ task: [UInt8], clients: Int) {
    (self.server, self.task, self.clients) = (server, task, 0..<clients)
  }

  /// A start for each list; what clients did about them, as far as they did in a minute.
  func callAsFunction(_ lists: [[Int]]) throws -> [Answers] {
    var all: [Answers] = []
    let end = Date().addingTimeInterval(60)
    while all.count < lists.count, Date() < end {
      guard let frames = server.receive(), frames.count >= 2, frames[1].count == 40 else { continue }
      try take(frames, lists[all.count])
      guard stage.answers.revealed.count + stage.answers.declined.count == lists[all.count].count else { continue }
      all.append(stage.answers)
      stage = Stage()
      server.session += 1
      for route in routes.values { server.welcome(route, task) }
    }
    return all
  }

  private func take(_ frames: [[UInt8]], _ survivors: [Int]) throws {
    let (header, body) = (frames[1], frames.count > 2 ? frames[2] : [])
    func number(_ key: String) throws -> Int {
      try #require((JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])?[key] as? Int)
    }
    func word(_ place: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(header[place + $1]) << UInt64(8 * $1) } }
    let kind = WireClient.Kind(rawValue: UInt16(header[6]))
    if kind == .hello {
      routes[try number("client")] = frames[0]
      return server.welcome(frames[0], task)
    }
    guard word(8) == server.session, let client = routes.first(where: { $0.value == frames[0] })?.key else { return }
    switch kind {
    case .fetch: server.send(frames[0], .data, round: .max, total: UInt64(task.count), task)
    case .ready:
      stage.samples[client] = try number("samples")
      if stage.samples.count == clients.count { order() }
    case .share: try shared(header[24], body, client)
    case .offer: server.send(frames[0], .grant, total: word(32), [])
    case .piece:
      stage.inputs.insert(client)
      guard stage.inputs.count == clients.count else { return }
      for other in survivors { relay(SurvivorList(round: 0, survivors: survivors), to: other) }
    case .decline: stage.answers.declined[client] = String(decoding: body, as: UTF8.self)
    default: break
    }
  }

  private func order() {
    let total = stage.samples.values.reduce(0, +)
    for (client, samples) in stage.samples {
      let order =
        "{\"order\":{\"round\":0,\"epochs\":1,\"learningRate\":0.1,\"weight\":\(samples),\"totalWeight\":\(total)},"
        + "\"downloadBytes\":0,\"maskedAmong\":\(clients.count)}"
      server.send(routes[client] ?? [], .order, Array(order.utf8))
    }
  }

  /// Takes a message of secure aggregation; the last one of a stage lets all get what follows.
  private func shared(_ kind: UInt8, _ body: [UInt8], _ client: Int) throws {
    switch kind {
    case KeyAdvertisement.kind:
      stage.parties[client] = try KeyAdvertisement(body).keys
      guard stage.parties.count == clients.count else { return }
      for other in clients {
        let neighbours = stage.parties.filter { $0.key != other }.map { SecureParty(client: $0.key, keys: $0.value) }
        relay(NeighbourKeys(round: 0, neighbours: neighbours.sorted { $0.client < $1.client }), to: other)
      }
    case SharedSecrets.kind:
      stage.boxes[client] = try SharedSecrets(body).shares
      guard stage.boxes.count == clients.count else { return }
      for other in clients {
        let shares = clients.compactMap { sender in
          stage.boxes[sender]?.first { $0.client == other }.map { SealedShares(client: sender, box: $0.box) }
        }
        relay(DeliveredShares(round: 0, shares: shares), to: other)
      }
    case OpenedShares.kind:
      stage.opened.insert(client)
      guard stage.opened.count == clients.count else { return }
      for other in clients { relay(MaskPartners(round: 0, clients: clients.filter { $0 != other }), to: other) }
    case RevealedShares.kind: stage.answers.revealed.insert(client)
    default: break
    }
  }

  private func relay<Message: SecureMessage>(_ message: Message, to client: Int) {
    server.send(routes[client] ?? [], .relay, offset: UInt64(Message.kind), message.bytes)
  }
}

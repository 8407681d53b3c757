import Datasets
import Federated

/// The stages of a masked round on the wire: keys, shares, masked inputs, and the shares that take masks away.
///
/// Without a deadline each stage waits for everyone whose process is still the one that began the round; with one, keys and
/// shares have ``patience`` seconds, or the deadline if that is shorter, and inputs the deadline.  The last stage needs no more
/// than T shares of every secret: once they are there, nobody is waited for who is not connected, and nobody for more than
/// ``grace`` seconds.
package final class MaskedExchange {
  /// Seconds for stages in which nobody trains.
  static let patience = 30.0
  /// Seconds for shares that are not needed, but are a remedy where others are wrong.
  static let grace = 5.0

  /// Who is asked.
  let clients: [Int]
  /// Whether somebody was left out because time was up.
  private(set) var wasCut = false
  private let exchange: RoundExchange
  private let server: FederatedServer
  private let secure: SecureServer
  private let layout: MaskedLayout
  private var places: [Int: Int] = [:]
  private var gone: Set<Int> = []
  private var began = Clock.seconds()
  /// What each client was sent in this round, for connections that broke.
  private var relays: [Int: [(kind: UInt8, bytes: [UInt8])]] = [:]
  private var failure: String?

  init(_ options: SecureAggregationOptions, _ exchange: RoundExchange, _ server: FederatedServer, places: [Int]) {
    (self.exchange, self.server) = (exchange, server)
    layout = exchange.round.maskedLayout
    clients = places.map { exchange.round.client($0) }
    for (client, place) in zip(clients, places) { self.places[client] = place }
    let cohort = exchange.round.masked
    let refusal = options.refusal(cohort: cohort)
    secure = SecureServer(
      SecureRound(
        options,
        federation: MaskedExchange.binding(
          server.description.identity, server.session, exchange.round.order(places.first ?? 0), among: cohort),
        round: exchange.round.index, cohort: refusal == nil ? cohort : 2, words: layout.words),
      // The same graph after a restart: clients give shares of a round for the same survivors around them or not at all.
      clients: clients, graphSeed: server.engine?.task.seed ?? 0)
    if let refusal { fail(refusal) }
    giveUpIfTooFew()
  }

  /// What keys are bound to: the federation, the start of the server, and what is ordered of all clients alike, so that nobody
  /// can open the shares of a client that was ordered something else.
  package static func binding(_ identity: String, _ session: UInt64, _ order: VisitOrder, among clients: Int) -> [UInt8]
  {
    let words = [
      session, order.learningRate.bitPattern, UInt64(clamping: order.totalWeight),
      (order.changeLimit ?? 0).bitPattern, UInt64(clamping: clients),
    ]
    return Array(identity.utf8)
      + words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
  }

  // MARK: How far it is

  /// Whether masks can be taken away, or never will be.
  var isOver: Bool {
    failure != nil || secure.stage == .ended || (secure.stage == .unmasking && (isComplete || isEnough))
  }

  private var isComplete: Bool { secure.awaited.allSatisfy { gone.contains($0) } }

  /// Whether shares suffice, and there is no use in waiting for more.
  private var isEnough: Bool {
    let isLate = Clock.seconds() >= began + MaskedExchange.grace
    return (isLate || secure.awaited.allSatisfy { gone.contains($0) || !isConnected($0) }) && secure.isUnmaskable
  }

  private func isConnected(_ client: Int) -> Bool { server.peers.peer(client)?.isReady ?? false }

  /// Seconds until the stage ends, or is to be looked at; nil for no end.
  func secondsLeft(_ now: Double) -> Double? {
    let grace = began + MaskedExchange.grace - now
    let look = secure.stage == .unmasking && grace > 0 ? grace : nil
    guard let deadline = server.description.network.deadline else { return look }
    let left = began + (secure.stage == .masking ? deadline : min(deadline, MaskedExchange.patience)) - now
    if left <= 0 {
      for client in secure.awaited where !gone.contains(client) {
        gone.insert(client)
        wasCut = true
      }
      advance()
    }
    return min(look ?? .infinity, max(0, left))
  }

  /// A client's process has begun anew: whatever it knew of the round is lost with the one before.
  func begun(_ peer: Peer) {
    guard relays[peer.client] != nil || hasAdvertised(peer.client) else { return }
    drop(peer)
  }

  private func hasAdvertised(_ client: Int) -> Bool { secure.stage != .advertising || !secure.awaited.contains(client) }

  /// A client is out of the round.
  func drop(_ peer: Peer) {
    gone.insert(peer.client)
    giveUpIfTooFew()
    advance()
  }

  /// Ends the round where the threshold is out of reach, whoever else may come.
  private func giveUpIfTooFew() {
    guard failure == nil else { return }
    do throws(SecureAggregationError) { try secure.check(without: gone) } catch { fail(error.message) }
  }

  // MARK: Messages

  /// Sends again what a client was sent, after its connection broke.
  func repeatRelays(to peer: Peer) {
    for relay in relays[peer.client] ?? [] { send(relay.kind, relay.bytes, to: peer) }
  }

  private func send(_ kind: UInt8, _ bytes: [UInt8], to peer: Peer) {
    server.tell(
      peer,
      Header(.relay, session: server.session, round: UInt64(exchange.round.index), offset: UInt64(kind)),
      Frame(copying: bytes))
  }

  private func relay<Message: SecureMessage>(_ messages: [Int: Message]) {
    for (client, message) in messages {
      relays[client, default: []].append((Message.kind, message.bytes))
      if let peer = server.peers.peer(client), peer.isReady { send(Message.kind, message.bytes, to: peer) }
    }
    began = Clock.seconds()
  }

  /// Takes a message of the stages in which nothing large travels.
  func shared(_ header: Header, _ body: Frame?, _ peer: Peer) {
    guard let body, failure == nil, !gone.contains(peer.client) else { return }
    let bytes = Array(body.bytes)
    do throws(SecureAggregationError) {
      switch header.offset {
      case UInt64(KeyAdvertisement.kind): try secure.accept(KeyAdvertisement(bytes), from: peer.client)
      case UInt64(SharedSecrets.kind): try secure.accept(SharedSecrets(bytes), from: peer.client)
      case UInt64(OpenedShares.kind): try secure.accept(OpenedShares(bytes), from: peer.client)
      case UInt64(RevealedShares.kind): try secure.accept(RevealedShares(bytes), from: peer.client)
      default: return server.complain(peer, "sent a message \(header.offset) of secure aggregation, which there is not")
      }
    } catch {
      // A message that comes again after a broken connection is none to complain about.
      return server.complain(peer, error.message)
    }
    advance()
  }

  /// Takes a masked input.
  func input(_ view: SafetensorsView, _ peer: Peer) throws(DataError) {
    let bytes = try view.bytes(MaskedVisit.tensor, .uint64, count: layout.words)
    exchange.uploaded(peer)
    guard !gone.contains(peer.client) else { return }
    do throws(SecureAggregationError) {
      try secure.accept(bytes, from: peer.client, round: exchange.round.index)
      peer.bytesUp += bytes.count
      peer.bytesDown += peer.work.bytesDown
    } catch { server.complain(peer, error.message) }
    advance()
  }

  /// Ends the stage once everyone is there who is left.
  private func advance() {
    guard failure == nil, isComplete else { return }
    do throws(SecureAggregationError) {
      switch secure.stage {
      case .advertising: relay(try secure.closeAdvertising())
      case .sharing: relay(try secure.closeSharing())
      case .opening:
        tellComplaints()
        relay(try secure.closeOpening())
      case .masking: relay(try secure.closeMasking())
      case .unmasking, .ended: return
      }
    } catch { fail(error.message) }
    // Whoever is gone is not waited for in the next stage either.
    if failure == nil, secure.stage != .unmasking, isComplete { advance() }
  }

  private func tellComplaints() {
    for (client, others) in secure.complaints.sorted(by: { $0.key < $1.key }) {
      guard let peer = server.peers.peer(client) else { continue }
      let names = others.map { String($0) }.joined(separator: ", ")
      server.complain(peer, "has shares in round \(exchange.round.index + 1) that clients \(names) cannot open")
    }
  }

  private func fail(_ reason: String) {
    failure = reason
    server.options.log("round \(exchange.round.index + 1) cannot be unmasked and is skipped: \(reason)")
  }

  /// Takes masks away; whose inputs are in the sum.
  func conclude() -> [Peer] {
    guard failure == nil else { return [] }
    do throws(SecureAggregationError) {
      let sum = try secure.unmask()
      for suspect in secure.suspects {
        server.options.log(
          "round \(exchange.round.index + 1): the share that client \(suspect.holder) gave of client \(suspect.of) is wrong"
        )
      }
      let survivors = secure.survivors
      withExtendedLifetime(secure) {
        exchange.round.take(
          sum, of: survivors.compactMap { places[$0] }, bytesUp: layout.bytes,
          bytesDown: { [server, exchange] place in
            server.peers.peer(exchange.round.client(place))?.work.bytesDown ?? 0
          })
      }
      return survivors.compactMap { server.peers.peer($0) }
    } catch {
      fail(error.message)
      return []
    }
  }
}

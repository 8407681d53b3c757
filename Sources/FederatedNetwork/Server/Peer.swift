import Federated

/// One client as the server knows it.
final class Peer {
  /// Its number.
  let client: Int
  /// How messages reach it; nil while it has no connection.
  var route: [UInt8]?
  /// Where it last came from.
  var address = ""
  /// Whether it said that it goes.
  var hasLeft = false
  /// Whether it has the task and can be asked.
  var isReady = false
  /// Samples that it says it has.
  var samples: Int?
  /// The round whose download it holds.
  var held: Int?
  /// The round that it said it trains for, or has an upload of, when it became ready.
  var working: Int?
  /// Which process speaks for it.
  var process: UInt64?
  /// When it was last heard of, in seconds of the server's clock.
  var lastSeen = 0.0
  /// The last round, counted from 0, in which its update counted and was kept.
  var counted: Int?
  /// Updates that counted, and that did not.
  var updates = 0
  var rejected = 0
  /// Payload bytes that it has sent and was sent.
  var bytesUp = 0
  var bytesDown = 0
  /// Lines that the log may have about it.
  var lines = LogBudget()
  /// What was last said about it.
  var remark = ""
  /// Its part in the open round.
  var work = Work()

  init(_ client: Int) { self.client = client }

  /// For people.
  var name: String { address.isEmpty ? "client \(client)" : "client \(client) (\(address))" }

  /// A client's part in one round.
  struct Work {
    /// How far it is.
    enum Step: String {
      case idle, asked, fetching, training, waiting, uploading, done
    }

    /// Its place in the cohort; nil where it has none.
    var place: Int?
    /// The round that it trains for, or the version of the model that it trains on; nil for none.
    var round: Int?
    var step = Step.idle
    /// What it was last told to fetch; nil where it holds it.
    var download: DownloadKind?
    /// Payload bytes of that.
    var bytesDown = 0
    var report: VisitReport?
    /// Bytes of the upload that it offers.
    var offered = 0
    var upload: Assembly?
    /// When its upload last moved on.
    var movedAt = 0.0
  }
}

/// All clients that a server admits, made as they come.
final class PeerTable {
  private var peers: [Int: Peer] = [:]
  private var routes: [[UInt8]: Int] = [:]
  private let clients: Int

  init(clients: Int) { self.clients = clients }

  /// A client of the federation.
  func peer(_ client: Int) -> Peer? {
    guard client >= 0, client < clients else { return nil }
    if let known = peers[client] { return known }
    let peer = Peer(client)
    peers[client] = peer
    return peer
  }

  /// Whoever speaks by a route.
  func peer(by route: [UInt8]) -> Peer? { routes[route].flatMap { peers[$0] } }

  /// Lets messages to a client take another route; the one before, if there was one.
  func connect(_ peer: Peer, by route: [UInt8]) -> [UInt8]? {
    let before = peer.route
    if let before { routes[before] = nil }
    routes[route] = peer.client
    peer.route = route
    peer.isReady = false
    return before == route ? nil : before
  }

  /// Forgets a client's route.
  func disconnect(_ peer: Peer) {
    if let route = peer.route { routes[route] = nil }
    peer.route = nil
    peer.isReady = false
  }

  /// All that ever came, in order of their numbers.
  var all: [Peer] { peers.values.sorted { $0.client < $1.client } }
}

extension ClientStatus {
  /// What a server knows of a client.
  mutating func show(_ peer: Peer, _ state: State) {
    if state == .selected, self.state != .selected { rounds += 1 }
    self.state = state
    address = peer.address
    (accepted, rejected) = (peer.updates, peer.rejected)
    (bytesUp, bytesDown) = (peer.bytesUp, peer.bytesDown)
    lastSeen = WallClock.seconds
    remark = peer.remark
  }
}

import CSodium
import Datasets
import Federated
import Glibc
import Tensors

/// The server of a federation whose clients are elsewhere: one ZeroMQ socket, one thread, and everything driven by messages.
///
/// A round asks the clients of the cohort as they come, hands out the download in pieces as they fetch it, and takes their
/// uploads, a few at a time, so that memory does not grow with clients.  An upload that has been taken is only called counted
/// once the state after the round is on disk (``kept(_:)``); until then its client keeps it, and a server that ended and was
/// started again asks for it again, to the same bits.
///
/// Without cohorts (``fill(_:)``) clients are asked and give their updates whatever others do; only what moves the model is in turn.
///
/// Work: a copy of every byte that comes, and what sums cost.  Memory: the model's downloads, and ``slots`` uploads.
public final class FederatedServer: RemoteVisits {
  /// Uploads that come at the same time.
  static let slots = 8
  /// Seconds after which an upload that does not move gives way to one that waits.
  static let patience = 5.0
  /// Seconds after which the log says whom the server waits for.
  private static let silence = 60.0
  /// Seconds in which clients that lost their connection try again at least once.
  private static let reconnection = 12.0

  /// Where it listens.
  public let address: String
  let description: FederationDescription
  let options: ServerOptions
  let session: UInt64
  /// The task as it is sent.
  let task: SharedBytes
  let peers: PeerTable
  private let context: SocketContext
  private let socket: Socket
  private let authenticator: Authenticator?
  /// Who fails before there is a key to judge by; nil without keys.
  private let refusals: Strangers?
  /// By client: 1 + the last round, or version, that it trained for and whose update counted; a checkpoint's.
  private let counted: Storage
  /// The engine whose rounds these are.
  public weak var engine: FederatedEngine?
  var exchange: (any Exchange)?
  /// Lines about whoever is nobody.
  private var strangers = LogBudget()
  /// Room of uploads that are done.
  private var spares: [Assembly] = []
  /// What an asynchronous server has on its way.
  private var buffers: BufferExchange?
  /// Updates of the last round, with the round or version that was trained for, whose clients do not know yet that they count.
  private var unkept: [(peer: Peer, round: Int)] = []
  /// The last round that was open.
  var latestRound: Int?

  /// Begins to listen.  Throws where that is not possible.
  public init(_ description: FederationDescription, _ options: ServerOptions) throws(FederatedError) {
    self.description = description
    self.options = options
    FederatedServer.raiseDescriptorLimit()
    context = SocketContext(threads: max(1, min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    socket = Socket(.router, context)
    socket.limit(messages: Pieces.largestMessage)
    socket.set(ZMQ.routerMandatory, 1)
    socket.set(ZMQ.backlog, 1024)
    // A client that sends what nobody asked for fills its own connection, and not the server's memory.
    socket.set(ZMQ.receiveQueue, 16)
    if let keys = options.keys {
      authenticator = try Authenticator(keys.clients, context, refused: options.log)
      refusals = try Strangers(of: socket, context, refused: options.log)
      socket.encrypt(as: keys.server)
    } else {
      (authenticator, refusals) = (nil, nil)
    }
    let image = description.task.withUnsafeBytes { SafetensorsImage(copying: $0) }
    task = SharedBytes(bytes: image.bytes, owner: image)
    peers = PeerTable(clients: description.clients)
    counted = Storage(zeros: description.clients)
    session = Self.randomNumber()
    do { address = try socket.bind(options.address) } catch {
      authenticator?.end()
      throw error
    }
  }

  deinit { authenticator?.end() }

  /// Every connection takes a descriptor, and systems give a process few before it asks for more.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  static func randomNumber() -> UInt64 {
    var number: UInt64 = 0
    randombytes_buf(&number, 8)
    return number
  }

  // MARK: What the engine asks

  /// What a client said it has, where it may say so.
  public func samples(of client: Int) -> Int? {
    description.network.largestClient == nil ? nil : peers.peer(client)?.samples ?? 0
  }

  /// In which round each client's update last counted.
  public var memory: [ServerMemory] { [ServerMemory("counted", counted)] }

  /// Makes a round of the clients that are there and of those who come.
  public func visit(_ round: OpenRound) throws {
    defer { latestRound = round.index }
    try run(RoundExchange(round, self)) { $0.begin() }
  }

  /// Fills a buffer with the updates of clients that are there and of those who come.
  public func fill(_ buffer: OpenBuffer) throws {
    let exchange = buffers ?? BufferExchange(self)
    buffers = exchange
    try run(exchange) { $0.begin(buffer) }
  }

  private func run<Kind: Exchange>(_ exchange: Kind, _ begin: (Kind) -> Void) throws {
    for peer in peers.all { restoreCounted(peer) }
    self.exchange = exchange
    defer { self.exchange = nil }
    begin(exchange)
    var told = Clock.seconds()
    while !exchange.isOver {
      let untilTold = max(0, told + Self.silence - Clock.seconds())
      try pump(seconds: min(exchange.secondsLeft() ?? untilTold, untilTold))
      if Clock.seconds() >= told + Self.silence {
        told = Clock.seconds()
        sayWhoIsMissing(from: exchange)
      }
    }
    exchange.end()
    unkept = exchange.accepted
    for (peer, round) in unkept { counted.base[peer.client] = Float(round + 1) }
  }

  /// Tells clients that their updates count.
  public func kept(_ round: Int) {
    for (peer, trained) in unkept {
      peer.counted = trained
      peer.updates += 1
      show(peer, .done)
      tell(peer, .verdict, round: trained, Verdict(outcome: .counted, reason: ""))
    }
    unkept = []
  }

  /// Why a client cannot take part; nil where it can.
  func unsuitable(_ peer: Peer, _ ready: Ready) -> String? {
    if let largest = description.network.largestClient {
      return (0...largest).contains(ready.samples)
        ? nil : "it has \(ready.samples) samples, and federated.network.largest-client is \(largest)"
    }
    guard let own = engine?.task.partition.count(of: peer.client), own != ready.samples else { return nil }
    return "it has \(ready.samples) samples where partition \(peer.client) has \(own); give it the same data, or set "
      + "federated.network.largest-client"
  }

  /// What a checkpoint says of a client.
  func restoreCounted(_ peer: Peer) {
    let round = Int(counted.base[peer.client]) - 1
    peer.counted = round >= 0 ? round : nil
  }

  /// Whether clients that were there in the round before are sent less.
  var stepsAreSmaller: Bool { engine.map { $0.plan.downloadBytes.follower != $0.plan.downloadBytes.other } ?? false }

  /// Notes whom a round has been waiting for.
  private func sayWhoIsMissing(from exchange: any Exchange) {
    let missing = peers.all.filter { $0.work.place != nil && $0.work.step != .done }.map { String($0.client) }
    if missing.isEmpty { return }
    options.log(
      "round \(exchange.index + 1) waits for client\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))")
  }

  // MARK: The beginning and the end

  /// Waits until so many clients are ready.
  public func wait(for count: Int) throws {
    func ready() -> Int { peers.all.count(where: \.isReady) }
    var told = -Double.infinity
    while ready() < count {
      if Clock.seconds() >= told + Self.silence {
        told = Clock.seconds()
        options.log("waiting for \(count) clients; \(ready()) \(ready() == 1 ? "is" : "are") there")
      }
      try pump(seconds: max(0, told + Self.silence - Clock.seconds()))
    }
  }

  /// Tells clients that the federation is done, and gives them some seconds to go; those that are between two connections get the
  /// time that these take.  A server that `returns` to a federation that ended before tells whoever comes in that time.
  public func finish(rounds: Int, digest: String, seconds: Double = 5, returns: Bool = false) throws {
    let body = Finished(rounds: rounds, digest: digest)
    finished = body
    for peer in peers.all where peer.isReady { tell(peer, .finished, body) }
    let began = Clock.seconds()
    func left() -> Double {
      let isBetween = peers.all.contains { !$0.isReady && !$0.hasLeft && $0.lastSeen > began - Self.silence }
      let isLate = returns && peers.all.count(where: \.hasLeft) < description.clients
      if isBetween || isLate { return began + Self.reconnection - Clock.seconds() }
      return peers.all.contains(where: \.isReady) ? began + seconds - Clock.seconds() : 0
    }
    while left() > 0 { try pump(seconds: left()) }
  }

  private(set) var finished: Finished?

  // MARK: Messages

  /// Handles what has come, or waits for it.  Throws where a signal asks to stop.
  func pump(seconds: Double?) throws(FederatedError) {
    let sockets = [socket] + (refusals.map { [$0.socket] } ?? [])
    let ready = Poll.wait(sockets, descriptors: options.stop >= 0 ? [options.stop] : [], seconds: seconds)
    refusals?.report()
    if ready.contains(sockets.count) {
      options.board?.update { status in
        if status.state != .finished { (status.state, status.ended) = (.stopped, WallClock.seconds) }
      }
      throw FederatedError(
        .stopped,
        "stopped by a signal"
          + (exchange.map { " in round \($0.index + 1); the state before it is saved, --resume continues" } ?? "")
      )
    }
    // Bounded, so that deadlines are seen whatever comes.
    for _ in 0..<256 {
      guard let frames = socket.receive() else { return }
      receive(frames)
    }
  }

  private func receive(_ frames: [Frame]) {
    guard frames.count >= 2, frames.count <= 3 else { return }
    let route = Array(frames[0].bytes)
    let body = frames.count == 3 ? frames[2] : nil
    // A key stands for a client, whatever its messages say.
    let known =
      options.keys == nil
      ? peers.peer(by: route) : frames[1].property("User-Id").flatMap { Int($0) }.flatMap(peers.peer)
    guard let header = Header(frames[1].bytes) else {
      if let known { complain(known, "sent \(frames[1].bytes.count) bytes that are no message of this wire") }
      return
    }
    if header.kind == .hello { return greet(route, known, body) }
    guard let peer = known, peer.route == route else { return }
    peer.lastSeen = Clock.seconds()
    guard header.session == session else { return complain(peer, "speaks of another session") }
    MessageHandling.handle(header, body, of: peer, by: self)
  }

  private func greet(_ route: [UInt8], _ known: Peer?, _ body: Frame?) {
    guard let hello = Body.read(Hello.self, body) else {
      if let known { complain(known, "greets with what is no greeting") }
      return
    }
    guard let peer = options.keys == nil ? peers.peer(hello.client) : known, peer.client == hello.client else {
      let name = known.map { "this key is client \($0.client)'s" } ?? "there are \(description.clients) clients"
      let reason = "client \(hello.client) is not admitted: \(name)"
      let line = "refused a greeting: \(reason)"
      if let known { log(known, line) } else { strangers.write(line, of: "greetings", to: options.log) }
      send(route, Header(.refuse, session: session), Body.frame(Refusal(cause: .unauthorised, reason: reason)))
      return
    }
    let wasThere = peer.isReady
    if let before = peers.connect(peer, by: route) {
      let reason = "another process speaks for client \(peer.client)"
      if wasThere { complain(peer, "is spoken for by another process; the one before is sent away") }
      send(before, Header(.refuse, session: session), Body.frame(Refusal(cause: .replaced, reason: reason)))
    }
    peer.lastSeen = Clock.seconds()
    peer.hasLeft = false
    peer.address = body?.property("Peer-Address") ?? ""
    restoreCounted(peer)
    if !wasThere { log(peer, "\(peer.name) is there, with \(hello.program.prefix(60))") }
    show(peer, .online)
    let welcome = Welcome(federation: description.identity, taskBytes: description.task.count, counted: peer.counted)
    tell(peer, .welcome, welcome)
  }

  /// Room for an upload.
  func assembly(total: Int) -> Assembly {
    var spare = spares.popLast()
    return Assembly.make(total: total, from: &spare)
  }

  /// An upload is done with its room.
  func release(_ assembly: Assembly?) {
    if let assembly, spares.count < FederatedServer.slots { spares.append(assembly) }
  }

  /// Sends a message with a JSON body.
  func tell(_ peer: Peer, _ kind: Header.Kind, round: Int = 0, _ body: some Encodable) {
    tell(peer, Header(kind, session: session, round: UInt64(clamping: round)), Body.frame(body))
  }

  /// Sends a message; a client that cannot be reached is gone until it greets again.
  func tell(_ peer: Peer, _ header: Header, _ body: Frame? = nil) {
    guard let route = peer.route else { return }
    if send(route, header, body) { return }
    peers.disconnect(peer)
    show(peer, .offline)
  }

  @discardableResult
  private func send(_ route: [UInt8], _ header: Header, _ body: Frame?) -> Bool {
    socket.send([route.withUnsafeBytes { Frame($0) }, header.frame] + (body.map { [$0] } ?? []))
  }

  /// Shows what a client does to whoever looks at the status page.
  func show(_ peer: Peer, _ state: ClientStatus.State) {
    options.board?.update { status in
      guard peer.client < status.clients.count else { return }
      status.clients[peer.client].show(peer, state)
      status.cohort?.arrived = exchange?.accepted.count ?? 0
    }
  }

  /// Notes what a client does that it should not.
  func complain(_ peer: Peer, _ what: String) {
    peer.remark = what
    log(peer, "\(peer.name) \(what)")
  }

  /// Writes a line that a client has caused.
  func log(_ peer: Peer, _ line: String) { peer.lines.write(line, of: peer.name, to: options.log) }
}

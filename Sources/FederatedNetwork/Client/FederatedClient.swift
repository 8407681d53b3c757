import Datasets
import Federated

/// A client of a federation whose server is elsewhere.
///
/// It greets the server after every connection, learns the task, trains when it is asked, and keeps each upload until the server
/// has said what became of it.  Connections that break are made again by ZeroMQ after 0.1 to 10 seconds, at random times, and
/// everything goes on where it was: a download from the piece that came last, an upload from what the server has.
public final class FederatedClient {
  /// Seconds between signs of life.
  static let pulse = 10.0
  /// Greetings in a row that the other end may break off before its key is called wrong.
  static let patienceWithGreetings = 6

  let options: ClientOptions
  let store: ClientStore?
  private let context: SocketContext
  private let socket: Socket
  private let events: ConnectionEvents
  let thread = VisitThread()
  var session: UInt64?
  var welcome: Welcome?
  var remote: (any VisitingClient)?
  /// What is being fetched: the task, or what comes before a round.
  var fetch: (round: UInt64, kind: DownloadKind?, assembly: Assembly, asked: Int)?
  /// Room of downloads and uploads that are done.
  var spare: Assembly?
  var spareImage: SafetensorsImage?
  /// The order that is worked on, and the one that came meanwhile.
  var order: OrderBody?
  var isTraining = false
  var held: Int?
  var pending: PendingUpload?
  /// Its part in a masked round, and a visit that waits for its masks.
  var masked: MaskedVisit?
  var unmasked: (order: VisitOrder, report: VisitReport)?
  /// What it has revealed, and never will of the same rounds for others.
  var revealed = RevealedRounds()
  /// The last visit, whose upload is still there.
  var latest: (order: VisitOrder, report: VisitReport)?
  /// What is trained, and whether that is of no use any more.
  var training: VisitOrder?
  var isCancelled = false
  let process = FederatedServer.randomNumber()
  /// Bytes of the upload that were sent by this connection.
  var sent: Int?
  /// What it has done so far.
  public internal(set) var summary = ClientSummary()
  var isOver = false
  private var brokenGreetings = 0
  private var lastContact = Clock.seconds()
  private var nextPulse = 0.0
  let admits: (OrderBody) -> String?

  /// A client that begins to connect.  `admits` says why it does not do what an order wants; nil where it does.
  public convenience init(
    _ options: ClientOptions, store: ClientStore?, admits: @escaping (VisitOrder) -> String? = { _ in nil }
  ) throws(FederatedError) {
    try self.init(options, store: store, SocketContext(), admits: admits)
  }

  /// The same among others in a process, which share threads.
  init(
    _ options: ClientOptions, store: ClientStore?, _ context: SocketContext,
    admits: @escaping (VisitOrder) -> String? = { _ in nil }
  ) throws(FederatedError) {
    self.options = options
    self.store = store
    self.admits = { admits($0.order) }
    self.context = context
    socket = Socket(.dealer, context)
    socket.limit(messages: Pieces.largestMessage)
    socket.set(ZMQ.reconnect, 100)
    socket.set(ZMQ.reconnectLongest, 10_000)
    if let keys = options.keys { socket.encrypt(as: keys.own, to: keys.server) }
    events = try ConnectionEvents(of: socket, context, name: "events-\(FederatedServer.randomNumber())")
    try socket.connect(options.address)
  }

  /// Takes part until the federation is over; `make` builds the client's half from the task, a configuration in YAML.
  public func run(_ make: (String) throws -> any VisitingClient) throws -> ClientSummary {
    defer {
      if isTraining {
        remote?.cancel()
        thread.join()
      }
    }
    while !isOver {
      let ready = Poll.wait(
        [socket, events.socket], descriptors: [thread.done.descriptor] + (options.stop >= 0 ? [options.stop] : []),
        seconds: try secondsLeft())
      if ready.contains(3) {
        send(.leave)
        throw FederatedError(.stopped, "stopped by a signal; start it again with --resume to go on")
      }
      if ready.contains(1) { try connectionChanged() }
      if ready.contains(2) { try trained() }
      while !isOver, let frames = socket.receive() { try receive(frames, make) }
    }
    return summary
  }

  // MARK: The connection

  private func secondsLeft() throws(FederatedError) -> Double {
    let now = Clock.seconds()
    if session != nil {
      lastContact = now
      if now >= nextPulse {
        send(.alive)
        nextPulse = now + FederatedClient.pulse
      }
      return nextPulse - now
    }
    let left = lastContact + options.patience - now
    guard left > 0 else {
      throw FederatedError(
        .peerLost,
        "no server at \(options.address) for \(Int(options.patience)) seconds; is it running, and is the address right?"
      )
    }
    return left
  }

  private func connectionChanged() throws(FederatedError) {
    while let event = events.next() {
      switch event {
      case .ready:
        brokenGreetings = 0
        nextPulse = Clock.seconds() + FederatedClient.pulse
        socket.send([
          Header(.hello).frame, Body.frame(Hello(client: options.client, program: options.program)),
        ])
      case .lost:
        if session != nil { options.log("the connection to \(options.address) is lost; connecting again") }
        (session, sent) = (nil, nil)
        if let received = fetch?.assembly.received { fetch?.asked = received }
      case .refused:
        throw FederatedError(
          .unauthorised,
          "the server at \(options.address) does not admit the key of client \(options.client); it must be in its key folder"
        )
      case .broken:
        brokenGreetings += 1
        if brokenGreetings >= FederatedClient.patienceWithGreetings { throw unknownServer() }
      case .foreign: throw unknownServer()
      }
    }
  }

  private func unknownServer() -> FederatedError {
    FederatedError(
      .unauthorised,
      "what listens at \(options.address) breaks off the greeting: its key is not that of server.public, or it is no nndist "
        + "server")
  }

  func send(_ kind: Header.Kind, round: UInt64 = 0, offset: Int = 0, total: Int = 0, _ body: Frame? = nil) {
    guard let session else { return }
    let header = Header(kind, session: session, round: round, offset: UInt64(offset), total: UInt64(total))
    socket.send([header.frame] + (body.map { [$0] } ?? []))
  }

  // MARK: Messages

  private func receive(_ frames: [Frame], _ make: (String) throws -> any VisitingClient) throws {
    guard let first = frames.first, let header = Header(first.bytes) else { return }
    let body = frames.count > 1 ? frames[1] : nil
    if header.kind == .refuse { throw refusal(body) }
    if header.kind == .welcome { return try welcomed(header, body) }
    guard header.session == session else { return }
    switch header.kind {
    case .data: try came(header, body, make)
    case .order: try ordered(body)
    case .grant: granted(header)
    case .verdict, .cancel: try judged(header, body)
    case .relay: try relayed(header, body)
    case .finished:
      guard let finished = Body.read(Finished.self, body) else { return }
      (summary.rounds, summary.digest) = (finished.rounds, finished.digest)
      send(.leave)
      isOver = true
    default: break
    }
  }

  private func refusal(_ body: Frame?) -> FederatedError {
    guard let refusal = Body.read(Refusal.self, body) else {
      return FederatedError(.peerLost, "the server at \(options.address) refuses, without a reason")
    }
    let reason = "the server at \(options.address) refuses: \(refusal.reason)"
    switch refusal.cause {
    case .unauthorised: return FederatedError(.unauthorised, reason)
    case .unsuitable: return FederatedError(.configuration, reason)
    case .replaced: return FederatedError(.refused, reason)
    }
  }

  private func welcomed(_ header: Header, _ body: Frame?) throws {
    guard let welcome = Body.read(Welcome.self, body), welcome.taskBytes > 0, welcome.taskBytes <= TaskText.longest
    else {
      throw FederatedError(.peerLost, "the server at \(options.address) answers what no nndist server does")
    }
    if let known = self.welcome, known.federation != welcome.federation {
      throw FederatedError(
        .refused, "the server at \(options.address) now serves another federation; start this client again")
    }
    self.welcome = welcome
    session = header.session
    nextPulse = Clock.seconds() + FederatedClient.pulse
    if remote != nil { return try beReady() }
    if fetch?.round != Header.task { fetch = (Header.task, nil, Assembly(total: welcome.taskBytes), 0) }
    ask()
  }

  /// Tells the server that it can be asked; an upload that counted before the connection broke, or the server ended, is settled
  /// first.
  func beReady() throws {
    guard let remote, let welcome else { return }
    if let pending, let counted = welcome.counted, counted >= pending.round {
      try settle(counted == pending.round ? .counted : .late)
    }
    let trained = isTraining && order?.order == training ? training?.round : nil
    let ready = Ready(
      samples: remote.samples, held: held, working: pending?.round ?? trained, process: process)
    send(.ready, Body.frame(ready))
  }
}

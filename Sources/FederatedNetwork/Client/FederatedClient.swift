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
  private let thread = VisitThread()
  var session: UInt64?
  var welcome: Welcome?
  var remote: (any VisitingClient)?
  /// What is being fetched: the task, or what comes before a round.
  var fetch: (round: UInt64, kind: DownloadKind?, assembly: Assembly, asked: Int)?
  /// Room of downloads and uploads that are done.
  private var spare: Assembly?
  private var spareImage: SafetensorsImage?
  /// The order that is worked on, and the one that came meanwhile.
  var order: OrderBody?
  var isTraining = false
  var held: Int?
  var pending: PendingUpload?
  /// Its part in a masked round, and a visit that waits for its masks.
  var masked: MaskedVisit?
  private var unmasked: (order: VisitOrder, report: VisitReport)?
  /// The last visit, whose upload is still there.
  private var latest: (order: VisitOrder, report: VisitReport)?
  private let process = FederatedServer.randomNumber()
  /// Bytes of the upload that were sent by this connection.
  var sent: Int?
  /// What it has done so far.
  public internal(set) var summary = ClientSummary()
  var isOver = false
  private var brokenGreetings = 0
  private var lastContact = Clock.seconds()
  private var nextPulse = 0.0
  private let admits: (OrderBody) -> String?

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

  // MARK: Downloads

  /// Asks for what is missing, as far as may be on its way.
  func ask() {
    guard var fetch else { return }
    let limit = min(fetch.assembly.total, fetch.assembly.received + Pieces.window)
    guard fetch.asked < limit, limit == fetch.assembly.total || limit - fetch.asked >= Pieces.window / 2 else { return }
    send(.fetch, round: fetch.round, offset: fetch.asked, total: limit)
    fetch.asked = limit
    self.fetch = fetch
  }

  private func came(_ header: Header, _ body: Frame?, _ make: (String) throws -> any VisitingClient) throws {
    guard let fetch, fetch.round == header.round, let body, fetch.assembly.add(body.bytes, at: header.offset) else {
      return
    }
    guard fetch.assembly.isWhole else { return ask() }
    self.fetch = nil
    guard fetch.round == Header.task else { return try fetched(fetch.assembly, fetch.kind ?? .whole) }
    let bytes = withExtendedLifetime(fetch.assembly) { Array(fetch.assembly.bytes) }
    guard let welcome, Digests.sha256(bytes) == welcome.federation else {
      throw FederatedError(.peerLost, "the task that came from \(options.address) is damaged; start the client again")
    }
    let remote = try make(String(decoding: bytes, as: UTF8.self))
    self.remote = remote
    try restore(remote, welcome)
    try beReady()
  }

  /// What was remembered and what was pending when the client ended.
  private func restore(_ remote: any VisitingClient, _ welcome: Welcome) throws {
    guard let store else { return }
    if let memory = try store.memory(of: welcome.federation), memory.count == remote.memoryCount {
      try memory.withUnsafeBufferPointer { (memory) throws in try remote.remember(memory) }
    }
    if let saved = try store.pending(of: welcome.federation), saved.memory.count == remote.memoryCount {
      pending = saved
    }
  }

  // MARK: Visits

  private func ordered(_ body: Frame?) throws {
    guard let order = Body.read(OrderBody.self, body), order.order.isPossible, order.downloadBytes >= 0,
      order.downloadBytes <= remote?.largestDownload ?? 0
    else {
      throw FederatedError(.peerLost, "the server at \(options.address) orders what cannot be understood")
    }
    if let reason = admits(order) {
      return decline(order.order.round, reason)
    }
    if let remote, (remote.masking != nil) != (order.maskedAmong != nil) {
      return decline(order.order.round, "the task and the order differ in whether uploads are masked")
    }
    let isSame = self.order?.order == order.order
    self.order = order
    try beginMasking(order)
    if let pending, pending.round == order.order.round { return offer() }
    if isTraining || unmasked?.order == order.order { return }
    try begin(order, isSame: isSame)
  }

  private func decline(_ round: Int, _ reason: String) {
    options.log("declines round \(round + 1): \(reason)")
    send(.decline, round: UInt64(round), .text(reason))
  }

  // MARK: Masks

  private func beginMasking(_ order: OrderBody) throws {
    guard let remote, let masking = remote.masking, let clients = order.maskedAmong, let welcome, let session else {
      return
    }
    let federation = MaskedExchange.federation(welcome.federation, session)
    if masked?.round != order.order.round || masked?.federation != federation {
      // What was masked for another start of the server is of no use to this one.
      if pending?.round == order.order.round { pending = nil }
      unmasked = latest?.order == order.order ? latest : nil
      masked = try MaskedVisit(order, among: clients, masking, federation: federation, options)
    }
    guard let message = masked?.advertisement else { return }
    send(.share, round: UInt64(order.order.round), offset: Int(message.kind), Frame(copying: message.bytes))
  }

  private func relayed(_ header: Header, _ body: Frame?) throws {
    guard let masked, header.round == UInt64(masked.round), let body else { return }
    do throws(SecureAggregationError) {
      if let answer = try masked.answer(header.offset, Array(body.bytes)) {
        send(.share, round: header.round, offset: Int(answer.kind), Frame(copying: answer.bytes))
      }
    } catch { return decline(masked.round, error.message) }
    try maskAndOffer()
  }

  /// Once it has trained and the shares are there.
  private func maskAndOffer() throws {
    guard let masked, masked.isOpen, let remote, let visit = unmasked, visit.order.round == masked.round else { return }
    unmasked = nil
    var report = VisitReport(steps: 0, loss: 0, terms: 0, isWhole: false, isAcceptable: visit.report.isAcceptable)
    var image: SafetensorsImage?
    do throws(SecureAggregationError) {
      if report.isAcceptable { image = try masked.input(remote, visit.order) }
    } catch { return decline(masked.round, error.message) }
    report.isAcceptable = image != nil
    pending = PendingUpload(round: masked.round, report: report, image: image, memory: Array(remote.memory))
    offer()
  }

  private func begin(_ order: OrderBody, isSame: Bool = false) throws {
    let round = UInt64(order.order.round)
    guard let kind = order.download, held != order.order.round else { return train(order) }
    if !isSame || fetch?.round != round || fetch?.kind != kind || fetch?.assembly.total != order.downloadBytes {
      fetch = (round, kind, Assembly.make(total: order.downloadBytes, from: &spare), 0)
    }
    ask()
  }

  private func fetched(_ assembly: Assembly, _ kind: DownloadKind) throws {
    guard let remote, let order else { return }
    let view = try SafetensorsView(assembly.bytes, name: "the download of round \(order.order.round + 1)")
    try remote.take(view, kind, round: order.order.round)
    summary.bytesDown += view.tensors.values.reduce(0) { $0 + $1.range.count }
    held = order.order.round
    spare = assembly
    train(order)
  }

  private func train(_ order: OrderBody) {
    guard let remote, !isTraining else { return }
    (isTraining, isCancelled) = (true, false)
    thread.start(remote, order.order)
    training = order.order
  }

  private var training: VisitOrder?
  /// Whether what is trained is of no use any more.
  private var isCancelled = false

  /// Stops training for a round that is over.
  private func cancelTraining(of round: Int) {
    guard isTraining, training?.round == round else { return }
    isCancelled = true
    remote?.cancel()
  }

  private func trained() throws {
    guard let remote, let trained = training, let result = thread.take() else { return }
    isTraining = false
    let report = try result.get()
    if isCancelled {
      if let order { try begin(order) }
      return
    }
    summary.visits += 1
    summary.steps += report.steps
    summary.loss = report.terms > 0 ? report.loss / Double(report.terms) : summary.loss
    summary.samples += report.terms / max(1, remote.termsPerSample)
    guard let order else { return }
    // The round may have ended meanwhile, and another one begun.
    guard order.order == trained else { return try begin(order) }
    if masked?.round == trained.round {
      latest = (trained, report)
      unmasked = latest
      return try maskAndOffer()
    }
    let made = PendingUpload(
      round: trained.round, report: report,
      image: report.isAcceptable ? SafetensorsImage.make(remote.packed, from: &spareImage) : nil,
      memory: Array(remote.memory))
    if let store, let welcome { try store.save(made, of: welcome.federation) }
    pending = made
    offer()
  }

  // MARK: Uploads

  private func offer() {
    guard let pending else { return }
    sent = nil
    send(
      .offer, round: UInt64(pending.round), total: pending.image?.bytes.count ?? 0,
      Body.frame(Offer(report: pending.report)))
  }

  private func granted(_ header: Header) {
    guard let pending, let image = pending.image, header.round == UInt64(pending.round),
      header.offset <= header.total, header.total <= UInt64(image.bytes.count)
    else { return }
    var offset = max(sent ?? 0, Int(header.offset))
    while offset < Int(header.total) {
      let piece = Pieces.next(from: offset, of: Int(header.total))
      send(
        .piece, round: header.round, offset: offset, total: image.bytes.count,
        Frame(UnsafeRawBufferPointer(rebasing: image.bytes[piece]), of: image))
      offset = piece.upperBound
    }
    sent = offset
  }

  private func judged(_ header: Header, _ body: Frame?) throws {
    guard let verdict = Body.read(Verdict.self, body) else { return }
    let round = Int(truncatingIfNeeded: header.round & UInt64(Int.max))
    if let order, order.order.round == round {
      self.order = nil
      if fetch?.round == header.round { fetch = nil }
      cancelTraining(of: round)
    }
    guard let pending, pending.round == round else { return }
    if verdict.outcome != .counted {
      options.log("the update of round \(round + 1) does not count: \(verdict.reason)")
    }
    try settle(verdict.outcome)
  }

  /// Lets go of the upload, and remembers what it was trained with where it counts.
  private func settle(_ outcome: Verdict.Outcome) throws {
    guard let pending, let remote else { return }
    self.pending = nil
    spareImage = pending.image
    if outcome == .counted {
      summary.updates += 1
      summary.bytesUp += pending.image?.bytes.count ?? 0
      try pending.memory.withUnsafeBufferPointer { (memory) throws in
        if !memory.isEmpty { try remote.remember(memory) }
      }
      if let store, let welcome { try store.save(pending.memory, round: pending.round, of: welcome.federation) }
    } else {
      summary.dropped += 1
    }
    store?.dropPending()
  }
}

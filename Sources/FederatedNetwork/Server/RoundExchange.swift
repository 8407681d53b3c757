import Datasets
import Federated

/// One round on the wire: whom it asks, what they fetch, and whose upload comes when.
final class RoundExchange {
  let round: OpenRound
  private let server: FederatedServer
  private let began = Clock.seconds()
  /// Places whose update is waited for.
  private(set) var waiting: Set<Int> = []
  /// Clients whose update was taken, in order of arrival.
  private(set) var accepted: [Peer] = []
  private var images: [DownloadKind: (image: SafetensorsImage, bytes: Int)] = [:]
  /// Clients whose upload comes, and those who wait for that.
  private var uploading: [Peer] = []
  private var queue: [Peer] = []
  private var isPastDeadline = false
  /// The stages of a masked round; nil where uploads are not masked.
  private(set) var masked: MaskedExchange?

  init(_ round: OpenRound, _ server: FederatedServer) {
    self.round = round
    self.server = server
  }

  // MARK: How far it is

  /// Whether the round may be concluded.
  var isOver: Bool {
    if let masked { return masked.isOver }
    if waiting.isEmpty || isPastDeadline { return true }
    return server.description.wanted.map { accepted.count >= $0 } ?? false
  }

  /// Seconds until something has to be looked at without a message; nil for none.
  func secondsLeft() -> Double? {
    let now = Clock.seconds()
    var left = masked == nil ? server.description.network.deadline.map { began + $0 - now } : masked?.secondsLeft(now)
    if masked == nil, let left, left <= 0 {
      isPastDeadline = true
      return 0
    }
    if !queue.isEmpty, let oldest = uploading.map(\.work.movedAt).min() {
      let stalled = oldest + FederatedServer.patience - now
      if stalled <= 0 { giveWay(now) }
      left = min(left ?? .infinity, max(0.1, stalled))
    }
    return left
  }

  /// Asks whoever is there.
  func begin() {
    defer { showCohort() }
    for place in round.places where round.isVisited(place) {
      waiting.insert(place)
      guard let peer = server.peers.peer(round.client(place)) else { continue }
      peer.work = Peer.Work()
      peer.work.place = place
    }
    if let options = server.engine?.setting.secureAggregation {
      masked = MaskedExchange(options, self, server, places: waiting.sorted())
    }
    for place in waiting.sorted() { if let peer = server.peers.peer(round.client(place)) { ask(peer) } }
  }

  private func showCohort() {
    let deadline = server.description.network.deadline.map { WallClock.seconds + $0 }
    server.options.board?.update { status in
      status.state = .inRound
      status.cohort = .init(needed: server.description.wanted ?? waiting.count, deadline: deadline)
    }
  }

  /// Asks a client that is there, unless it is done.
  func ask(_ peer: Peer) {
    guard peer.isReady, let place = peer.work.place, waiting.contains(place) else { return }
    let download = kind(for: peer)
    peer.work.download = download
    let (image, bytes) = download.map { whole($0) } ?? (nil, 0)
    if bytes > 0 { peer.work.bytesDown = bytes }
    if peer.work.step == .idle {
      peer.work.step = .asked
      server.show(peer, .selected)
    }
    server.tell(
      peer, .order, round: round.index,
      OrderBody(
        order: round.order(place), download: download, downloadBytes: image?.bytes.count ?? 0,
        maskedAmong: masked?.clients.count))
    masked?.repeatRelays(to: peer)
  }

  /// What a client needs before the round; nil where it has it.
  private func kind(for peer: Peer) -> DownloadKind? {
    if peer.held == round.index { return nil }
    let follows = peer.held == round.index - 1 && server.latestRound == round.index - 1 && server.stepsAreSmaller
    return follows ? .step : .whole
  }

  private func whole(_ kind: DownloadKind) -> (SafetensorsImage?, Int) {
    if let known = images[kind] { return known }
    guard let engine = server.engine else { return (nil, 0) }
    let parts = engine.download(kind)
    let made = (SafetensorsImage(parts), parts.reduce(0) { $0 + $1.bytes.count })
    images[kind] = made
    return made
  }

  /// The download that a client fetches.
  func download(_ header: Header, _ peer: Peer) -> SharedBytes? {
    guard header.round == UInt64(round.index), peer.work.place != nil, let kind = peer.work.download,
      let image = images[kind]?.image
    else { return nil }
    if peer.work.step == .asked {
      peer.work.step = .fetching
      server.show(peer, .downloading)
    }
    if header.total >= UInt64(image.bytes.count) { server.show(peer, .training) }
    return SharedBytes(bytes: image.bytes, owner: image)
  }

  // MARK: Uploads

  func handle(_ header: Header, _ body: Frame?, of peer: Peer) {
    guard let place = peer.work.place else { return }
    guard waiting.contains(place) else {
      // The same upload again, or one after the round had enough.
      if header.kind == .offer, !accepted.contains(where: { $0 === peer }) {
        refuse(peer, .late, "the round had enough")
      }
      return
    }
    switch header.kind {
    case .share: masked?.shared(header, body, peer)
    case .offer: offered(header, body, peer, place)
    case .piece: came(header, body, peer, place)
    case .decline:
      let reason = body.map { String(decoding: $0.bytes.prefix(200), as: UTF8.self) } ?? ""
      server.complain(peer, "declines the round: \(reason)")
      settle(peer, place, .lost)
    default: break
    }
  }

  private func offered(_ header: Header, _ body: Frame?, _ peer: Peer, _ place: Int) {
    guard let offer = Body.read(Offer.self, body), isPossible(offer.report, place) else {
      return reject(peer, place, "its report makes no sense")
    }
    guard offer.report.isAcceptable else { return reject(peer, place, "its update is not finite, or too large") }
    guard header.total > 0, header.total <= UInt64(largestUpload) else {
      return reject(peer, place, "it offers \(header.total) bytes, at most \(largestUpload) are possible")
    }
    peer.held = round.index
    peer.work.report = offer.report
    if peer.work.upload?.total != Int(header.total) { peer.work.upload = nil }
    if uploading.contains(where: { $0 === peer }) { return grant(peer) }
    if !queue.contains(where: { $0 === peer }) { queue.append(peer) }
    peer.work.step = .waiting
    peer.work.offered = Int(header.total)
    startUploads()
  }

  /// What the tensors of an upload and their header can take.
  private var largestUpload: Int {
    let plain = server.engine?.plan.uploads.reduce(0) { $0 + 8 * $1.count + 1024 } ?? 0
    return plain + (64 << 10)
  }

  private func isPossible(_ report: VisitReport, _ place: Int) -> Bool {
    report.steps >= 0 && report.steps < 1 << 40 && report.terms >= 0 && report.terms < 1 << 50 && report.loss.isFinite
  }

  private func startUploads() {
    while uploading.count < FederatedServer.slots, !queue.isEmpty {
      let peer = queue.removeFirst()
      if peer.work.upload == nil { peer.work.upload = server.assembly(total: peer.work.offered) }
      peer.work.step = .uploading
      peer.work.movedAt = Clock.seconds()
      uploading.append(peer)
      server.show(peer, .uploading)
      grant(peer)
    }
  }

  /// Lets a client send on from what has come.
  private func grant(_ peer: Peer) {
    guard let upload = peer.work.upload else { return }
    server.tell(
      peer,
      Header(
        .grant, session: server.session, round: UInt64(round.index), offset: UInt64(upload.received),
        total: UInt64(min(upload.total, upload.received + Pieces.window))))
  }

  /// Lets uploads that wait take the places of those that do not move.
  private func giveWay(_ now: Double) {
    for peer in uploading where now - peer.work.movedAt >= FederatedServer.patience {
      guard !queue.isEmpty else { return }
      uploading.removeAll { $0 === peer }
      peer.work.upload = nil
      peer.work.step = .waiting
      queue.append(peer)
      startUploads()
    }
  }

  private func came(_ header: Header, _ body: Frame?, _ peer: Peer, _ place: Int) {
    guard uploading.contains(where: { $0 === peer }), let upload = peer.work.upload, let report = peer.work.report,
      let body
    else { return }
    // Pieces that were on their way when a connection broke come twice.
    guard upload.add(body.bytes, at: header.offset) else { return }
    peer.work.movedAt = Clock.seconds()
    guard upload.isWhole else {
      if upload.received % (Pieces.window / 2) < Pieces.bytes { grant(peer) }
      return
    }
    take(upload, report, of: peer, place)
  }

  private func take(_ upload: Assembly, _ report: VisitReport, of peer: Peer, _ place: Int) {
    do throws(DataError) {
      let view = try SafetensorsView(upload.bytes, name: "the upload of \(peer.name)")
      if let masked { return try masked.input(view, peer) }
      let bytes = view.tensors.values.reduce(0) { $0 + $1.range.count }
      let status = try round.take(view, report, of: place, bytesUp: bytes, bytesDown: peer.work.bytesDown)
      peer.bytesUp += bytes
      peer.bytesDown += peer.work.bytesDown
      if status == .accepted {
        accepted.append(peer)
        close(peer, place)
        server.show(peer, .done)
      } else {
        reject(peer, place, "its update is not finite, too large, or longer than was ordered")
      }
    } catch { reject(peer, place, error.description) }
  }

  // MARK: The end of a part

  private func reject(_ peer: Peer, _ place: Int, _ reason: String) {
    server.complain(peer, "is rejected in round \(round.index + 1): \(reason)")
    peer.rejected += 1
    settle(peer, place, .rejected)
    server.show(peer, .rejected)
    refuse(peer, .rejected, reason)
  }

  private func settle(_ peer: Peer, _ place: Int, _ status: ClientRecord.Status) {
    masked?.drop(peer)
    round.record(
      place, peer.work.report, status, bytesUp: peer.work.upload?.received ?? 0, bytesDown: peer.work.bytesDown)
    close(peer, place)
  }

  private func close(_ peer: Peer, _ place: Int) {
    waiting.remove(place)
    uploaded(peer)
    peer.work.step = .done
  }

  /// Lets the next upload come.
  func uploaded(_ peer: Peer) {
    server.release(peer.work.upload)
    peer.work.upload = nil
    uploading.removeAll { $0 === peer }
    queue.removeAll { $0 === peer }
    startUploads()
  }

  private func refuse(_ peer: Peer, _ outcome: Verdict.Outcome, _ reason: String) {
    server.tell(peer, .verdict, round: round.index, Verdict(outcome: outcome, reason: reason))
  }

  /// Closes the round: too few updates count for nothing, and whoever is late is told.
  func end() {
    let minimum = server.description.network.minimum
    if let masked {
      accepted = masked.conclude()
      for peer in accepted { if let place = peer.work.place { waiting.remove(place) } }
    }
    if isPastDeadline || masked?.wasCut == true, accepted.count < minimum {
      round.abandon()
      server.options.log(
        "round \(round.index + 1) has \(accepted.count) updates at its deadline and needs \(minimum): it is skipped")
      for peer in accepted { refuse(peer, .abandoned, "the round had too few updates") }
      accepted = []
    }
    for place in waiting {
      guard let peer = server.peers.peer(round.client(place)) else { continue }
      round.record(place, nil, .lost, bytesUp: 0, bytesDown: peer.work.bytesDown)
      if peer.isReady { server.show(peer, .late) }
      server.tell(peer, .cancel, round: round.index, Verdict(outcome: .late, reason: "the round is over"))
    }
    for place in round.places { server.peers.peer(round.client(place))?.work = Peer.Work() }
  }
}

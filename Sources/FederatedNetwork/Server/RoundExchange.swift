import Datasets
import Federated

/// One round on the wire: whom it asks, what they fetch, and whose upload comes when.
final class RoundExchange: Exchange {
  let round: OpenRound
  private let server: FederatedServer
  private let began = Clock.seconds()
  /// Places whose update is waited for.
  private(set) var waiting: Set<Int> = []
  /// Clients whose update was taken, in order of arrival.
  private(set) var accepted: [(peer: Peer, round: Int)] = []
  private var images: [DownloadKind: (image: SafetensorsImage, bytes: Int)] = [:]
  private let slots: UploadSlots
  private var isPastDeadline = false
  /// The stages of a masked round; nil where uploads are not masked.
  private(set) var masked: MaskedExchange?

  init(_ round: OpenRound, _ server: FederatedServer) {
    self.round = round
    self.server = server
    slots = UploadSlots(server)
  }

  // MARK: How far it is

  var index: Int { round.index }

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
    if let stalled = slots.secondsLeft(now) { left = min(left ?? .infinity, stalled) }
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
      peer.work.round = round.index
    }
    if let options = server.engine?.setting.secureAggregation, !waiting.isEmpty {
      masked = MaskedExchange(options, self, server, places: waiting.sorted())
    }
    // What cannot be unmasked is not trained for.
    if masked?.isOver == true { return }
    for place in waiting.sorted() { if let peer = server.peers.peer(round.client(place)) { ask(peer) } }
  }

  private func showCohort() {
    let deadline = server.description.network.deadline.map { WallClock.seconds + $0 }
    server.options.board?.update { status in
      status.state = .inRound
      status.cohort = .init(needed: server.description.wanted ?? waiting.count, deadline: deadline)
    }
  }

  /// Another process knows nothing of a masked round that has begun.
  func ready(_ peer: Peer, isNew: Bool) {
    if isNew { masked?.begun(peer) }
    ask(peer)
  }

  /// Asks a client that is there, unless it is done.
  private func ask(_ peer: Peer) {
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
        maskedAmong: masked == nil ? nil : round.masked))
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

  func isExpected(_ header: Header, of peer: Peer) -> Bool {
    header.round == UInt64(round.index) && peer.work.place != nil
  }

  func handle(_ header: Header, _ body: Frame?, of peer: Peer) {
    guard let place = peer.work.place else { return }
    guard waiting.contains(place) else {
      // The same upload again, or one after the round had enough.
      if header.kind == .offer, !accepted.contains(where: { $0.peer === peer }) {
        refuse(peer, .late, "the round had enough")
      }
      return
    }
    switch header.kind {
    case .share: masked?.shared(header, body, peer)
    case .offer: offered(header, body, peer, place)
    case .piece:
      if let upload = slots.came(header, body, of: peer), let report = peer.work.report {
        take(upload, report, of: peer, place)
      }
    case .decline:
      let reason = body.map { String(decoding: $0.bytes.prefix(200), as: UTF8.self) } ?? ""
      server.complain(peer, "declines the round: \(reason)")
      settle(peer, place, .lost)
      server.show(peer, .rejected)
    default: break
    }
  }

  private func offered(_ header: Header, _ body: Frame?, _ peer: Peer, _ place: Int) {
    let offer = Body.read(Offer.self, body)
    if let reason = slots.refusal(offer, bytes: header.total) { return reject(peer, place, reason) }
    peer.held = offer?.held
    peer.work.report = offer?.report
    slots.offered(peer, bytes: Int(header.total))
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
        accepted.append((peer, round.index))
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
    slots.release(peer)
    peer.work.step = .done
  }

  /// Lets the next upload come.
  func uploaded(_ peer: Peer) { slots.release(peer) }

  private func refuse(_ peer: Peer, _ outcome: Verdict.Outcome, _ reason: String) {
    server.tell(peer, .verdict, round: round.index, Verdict(outcome: outcome, reason: reason))
  }

  /// Closes the round: too few updates count for nothing, and whoever is late is told.
  func end() {
    let minimum = server.description.network.minimum
    if let masked {
      accepted = masked.conclude().map { ($0, round.index) }
      for (peer, _) in accepted { if let place = peer.work.place { waiting.remove(place) } }
    }
    if isPastDeadline || masked?.wasCut == true, accepted.count < minimum {
      round.abandon()
      server.options.log(
        "round \(round.index + 1) has \(accepted.count) updates at its deadline and needs \(minimum): it is skipped")
      for (peer, _) in accepted { refuse(peer, .abandoned, "the round had too few updates") }
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

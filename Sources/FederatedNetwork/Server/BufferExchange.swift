import Datasets
import Federated

/// An asynchronous server on the wire: so many clients train at a time, on the version that was the newest when they were asked,
/// and the first whose updates have come fill the buffer.  It lives through all buffers, since visits do.
///
/// Whoever was asked longest ago is asked first.  A client that is not heard of for ``silence`` seconds makes room for another;
/// what it trained counts all the same if it comes while it is young enough.  Once its update has been taken, a client is asked
/// again after the next checkpoint, so that it keeps one upload at most.
final class BufferExchange: Exchange {
  /// Seconds after which a client that says nothing, which the living do every ``FederatedClient/pulse``, is not waited for.
  static let silence = 3 * FederatedClient.pulse

  private unowned let server: FederatedServer
  private let slots: UploadSlots
  private var open: OpenBuffer?
  private var began = Clock.seconds()
  private(set) var accepted: [(peer: Peer, round: Int)] = []
  /// Clients that are not asked again for this buffer.
  private var settled: Set<Int> = []
  /// Versions that are being fetched.
  private var images: [Int: (image: SafetensorsImage, bytes: Int)] = [:]
  /// When a client was last asked, as a number of orders.
  private var lastAsked: [Int: Int] = [:]
  private var orders = 0
  /// When somebody may have become silent.
  private var nextLook = 0.0

  init(_ server: FederatedServer) {
    self.server = server
    slots = UploadSlots(server)
  }

  // MARK: How far it is

  var index: Int { open?.index ?? 0 }
  var isOver: Bool { open?.isFull ?? true }

  /// Waits for another buffer.
  func begin(_ buffer: OpenBuffer) {
    open = buffer
    began = Clock.seconds()
    accepted = []
    settled = []
    begin()
  }

  private func begin() {
    guard let open else { return }
    server.options.board?.update { status in
      status.state = .inRound
      status.cohort = .init(needed: open.options.buffer, deadline: nil)
    }
    let all = server.peers.all
    for peer in all { if let version = peer.work.round, !open.allows(version) { giveUp(peer, version) } }
    for version in images.keys where !all.contains(where: { $0.isFetching(version) }) { images[version] = nil }
    for peer in all where peer.isReady { adopt(peer) }
    // What came whole after the buffer before was full.
    for peer in all {
      if let version = peer.work.round, let upload = peer.work.upload, upload.isWhole, let report = peer.work.report {
        take(upload, report, of: peer, version)
      }
    }
    askOthers()
  }

  /// A visit has become too old.
  private func giveUp(_ peer: Peer, _ version: Int) {
    open?.record(
      peer.client, version: version, samples: peer.samples ?? 0, nil, .lost, bytesUp: peer.work.upload?.received ?? 0,
      bytesDown: peer.work.bytesDown)
    forget(peer)
    if peer.isReady { server.show(peer, .late) }
    server.tell(
      peer, .cancel, round: version, Verdict(outcome: .late, reason: "the model has had too many updates since"))
  }

  private func forget(_ peer: Peer) {
    slots.release(peer)
    peer.work = Peer.Work()
    peer.working = nil
  }

  func secondsLeft() -> Double? {
    let now = Clock.seconds()
    if now >= nextLook { askOthers() }
    return min(slots.secondsLeft(now) ?? .infinity, max(0.1, nextLook - now))
  }

  // MARK: Whom it asks

  func ready(_ peer: Peer, isNew: Bool) {
    guard let open, !settled.contains(peer.client) else { return }
    adopt(peer)
    guard let version = peer.work.round else { return askOthers() }
    // What it fetches can only be gone where its connection was, too.
    if peer.held != version, peer.working != version, version != open.index, images[version] == nil {
      forget(peer)
      peer.work.round = open.index
    }
    order(peer)
  }

  /// Lets a client that has trained, or trains, for a server that was started again, or was given up, go on with that.
  private func adopt(_ peer: Peer) {
    guard let open, let version = peer.working, peer.work.round == nil else { return }
    peer.working = nil
    // A client lets go of what counts by itself.
    if let counted = peer.counted, counted >= version { return }
    guard open.allows(version) else {
      return server.tell(
        peer, .verdict, round: version, Verdict(outcome: .late, reason: "the model has had too many updates since"))
    }
    peer.work.round = version
    peer.working = version
    order(peer)
  }

  /// Asks clients that are there until so many train as may.
  private func askOthers() {
    guard let open, !open.isFull else { return }
    let now = Clock.seconds()
    let all = server.peers.all
    let heard = all.filter { $0.isReady && $0.work.round != nil }.map {
      max($0.lastSeen, began) + BufferExchange.silence
    }
    .filter { $0 > now }
    nextLook = heard.min() ?? now + BufferExchange.silence
    let room = open.options.concurrency - heard.count
    if room <= 0 { return }
    let idle = all.filter {
      $0.isReady && $0.work.round == nil && $0.samples != 0 && !settled.contains($0.client)
    }.sorted { (lastAsked[$0.client] ?? 0, $0.client) < (lastAsked[$1.client] ?? 0, $1.client) }
    for peer in idle.prefix(room) {
      peer.work = Peer.Work()
      peer.work.round = open.index
      orders += 1
      lastAsked[peer.client] = orders
      order(peer)
    }
  }

  /// Tells a client what it is to do, and what it is to fetch first.
  private func order(_ peer: Peer) {
    guard let open, let version = peer.work.round else { return }
    let hasAll = peer.held == version || peer.working == version
    peer.work.download = hasAll ? nil : .whole
    let download = hasAll ? nil : image(version)
    if let download { peer.work.bytesDown = download.bytes }
    if peer.work.step == .idle || !hasAll {
      peer.work.step = .asked
      server.show(peer, .selected)
    }
    server.tell(
      peer, .order, round: version,
      OrderBody(
        order: open.order(peer.client, version: version), download: peer.work.download,
        downloadBytes: download?.image.bytes.count ?? 0, maskedAmong: nil))
  }

  private func image(_ version: Int) -> (image: SafetensorsImage, bytes: Int)? {
    if let known = images[version] { return known }
    guard version == open?.index, let engine = server.engine else { return nil }
    let parts = engine.download(.whole)
    let made = (image: SafetensorsImage(parts), bytes: parts.reduce(0) { $0 + $1.bytes.count })
    images[version] = made
    return made
  }

  func download(_ header: Header, _ peer: Peer) -> SharedBytes? {
    guard let version = peer.work.round, header.round == UInt64(version), let image = images[version]?.image else {
      return nil
    }
    if peer.work.step == .asked {
      peer.work.step = .fetching
      server.show(peer, .downloading)
    }
    if header.total >= UInt64(image.bytes.count) {
      peer.work.step = .training
      server.show(peer, .training)
    }
    return SharedBytes(bytes: image.bytes, owner: image)
  }

  // MARK: Uploads

  func isExpected(_ header: Header, of peer: Peer) -> Bool {
    peer.work.round.map { header.round == UInt64($0) } ?? false
      || accepted.contains { $0.peer === peer && header.round == UInt64($0.round) }
  }

  func handle(_ header: Header, _ body: Frame?, of peer: Peer) {
    // Nothing more is needed of a client whose update was taken.
    guard let version = peer.work.round else { return }
    switch header.kind {
    case .offer:
      let offer = Body.read(Offer.self, body)
      if let reason = slots.refusal(offer, bytes: header.total) { return reject(peer, version, reason) }
      peer.held = offer?.held
      peer.work.report = offer?.report
      slots.offered(peer, bytes: Int(header.total))
    case .piece:
      if let upload = slots.came(header, body, of: peer), let report = peer.work.report {
        take(upload, report, of: peer, version)
      }
    case .decline:
      let reason = body.map { String(decoding: $0.bytes.prefix(200), as: UTF8.self) } ?? ""
      server.complain(peer, "declines version \(version): \(reason)")
      settle(peer, version, .lost)
      server.show(peer, .rejected)
    default: break
    }
  }

  private func take(_ upload: Assembly, _ report: VisitReport, of peer: Peer, _ version: Int) {
    guard let open, !open.isFull else { return }
    do throws(DataError) {
      let view = try SafetensorsView(upload.bytes, name: "the upload of \(peer.name)")
      let bytes = view.tensors.values.reduce(0) { $0 + $1.range.count }
      let status = try open.take(
        view, report, of: peer.client, version: version, samples: peer.samples ?? 0, bytesUp: bytes,
        bytesDown: peer.work.bytesDown)
      peer.bytesUp += bytes
      peer.bytesDown += peer.work.bytesDown
      guard status == .accepted else {
        return refuse(peer, version, "its update is not finite, too large, or longer than was ordered")
      }
      accepted.append((peer, version))
      settled.insert(peer.client)
      forget(peer)
      server.show(peer, .done)
      askOthers()
    } catch { reject(peer, version, error.description) }
  }

  private func reject(_ peer: Peer, _ version: Int, _ reason: String) {
    settle(peer, version, .rejected)
    refuse(peer, version, reason)
  }

  private func settle(_ peer: Peer, _ version: Int, _ status: ClientRecord.Status) {
    open?.record(
      peer.client, version: version, samples: peer.samples ?? 0, peer.work.report, status,
      bytesUp: peer.work.upload?.received ?? 0, bytesDown: peer.work.bytesDown)
    settled.insert(peer.client)
    forget(peer)
    askOthers()
  }

  private func refuse(_ peer: Peer, _ version: Int, _ reason: String) {
    server.complain(peer, "is rejected with version \(version): \(reason)")
    peer.rejected += 1
    settled.insert(peer.client)
    forget(peer)
    server.show(peer, .rejected)
    server.tell(peer, .verdict, round: version, Verdict(outcome: .rejected, reason: reason))
    askOthers()
  }

  /// Visits go on.
  func end() { open = nil }
}

extension Peer {
  /// Whether it needs a version that it was told to fetch.
  fileprivate func isFetching(_ version: Int) -> Bool {
    work.round == version && route != nil && (work.step == .asked || work.step == .fetching)
  }
}

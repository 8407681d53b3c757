import Datasets
import Federated

/// Uploads in pieces, a few at a time: whoever offers one waits for a slot, and gives it up where its upload does not move while
/// others wait.
final class UploadSlots {
  private unowned let server: FederatedServer
  /// Clients whose upload comes, and those who wait for that.
  private var uploading: [Peer] = []
  private var queue: [Peer] = []

  init(_ server: FederatedServer) { self.server = server }

  /// Why what a client offers cannot be taken; nil where it can.
  func refusal(_ offer: Offer?, bytes: UInt64) -> String? {
    guard let report = offer?.report, report.steps >= 0, report.steps < 1 << 40, report.terms >= 0,
      report.terms < 1 << 50, report.loss.isFinite, (offer?.held ?? 0).isRound
    else { return "its report makes no sense" }
    guard report.isAcceptable else { return "its update is not finite, or too large" }
    guard bytes > 0, bytes <= UInt64(largest) else {
      return "it offers \(bytes) bytes, at most \(largest) are possible"
    }
    return nil
  }

  /// What the tensors of an upload and their header can take.
  private var largest: Int {
    let plain = server.engine?.plan.uploads.reduce(0) { $0 + 8 * $1.count + 1024 } ?? 0
    return plain + (64 << 10)
  }

  /// A client offers so many bytes, for the first time or after its connection broke.
  func offered(_ peer: Peer, bytes: Int) {
    if peer.work.upload?.total != bytes { peer.work.upload = nil }
    if uploading.contains(where: { $0 === peer }) { return grant(peer) }
    if !queue.contains(where: { $0 === peer }) { queue.append(peer) }
    peer.work.step = .waiting
    peer.work.offered = bytes
    start()
  }

  /// Adds a piece; the upload, once it is whole.
  func came(_ header: Header, _ body: Frame?, of peer: Peer) -> Assembly? {
    guard uploading.contains(where: { $0 === peer }), let upload = peer.work.upload, let body,
      // Pieces that were on their way when a connection broke come twice.
      upload.add(body.bytes, at: header.offset)
    else { return nil }
    peer.work.movedAt = Clock.seconds()
    if upload.isWhole { return upload }
    if upload.received % (Pieces.window / 2) < Pieces.bytes { grant(peer) }
    return nil
  }

  /// Lets the next upload come.
  func release(_ peer: Peer) {
    server.release(peer.work.upload)
    peer.work.upload = nil
    uploading.removeAll { $0 === peer }
    queue.removeAll { $0 === peer }
    start()
  }

  /// Seconds until an upload that does not move has to give way; nil where nobody waits.
  func secondsLeft(_ now: Double) -> Double? {
    guard !queue.isEmpty, let oldest = uploading.map(\.work.movedAt).min() else { return nil }
    let stalled = oldest + FederatedServer.patience - now
    if stalled <= 0 { giveWay(now) }
    return max(0.1, stalled)
  }

  private func start() {
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
    guard let upload = peer.work.upload, let round = peer.work.round else { return }
    server.tell(
      peer,
      Header(
        .grant, session: server.session, round: UInt64(round), offset: UInt64(upload.received),
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
      start()
    }
  }
}

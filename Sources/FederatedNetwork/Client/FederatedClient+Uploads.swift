import Datasets
import Federated

/// What the server gets, and what becomes of it.
extension FederatedClient {
  func offer() {
    guard let pending else { return }
    sent = nil
    send(
      .offer, round: UInt64(pending.round), total: pending.image?.bytes.count ?? 0,
      Body.frame(Offer(report: pending.report, held: held)))
  }

  func granted(_ header: Header) {
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

  func judged(_ header: Header, _ body: Frame?) throws {
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
  func settle(_ outcome: Verdict.Outcome) throws {
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

import Datasets
import Federated

/// Rounds whose uploads are masked.
extension FederatedClient {
  func beginMasking(_ order: OrderBody) {
    guard let remote, let masking = remote.masking, let clients = order.maskedAmong, let welcome, let session else {
      return
    }
    let federation = MaskedExchange.binding(welcome.federation, session, order.order, among: clients)
    if masked?.round != order.order.round || masked?.federation != federation {
      // What was masked for another start of the server is of no use to this one.
      if pending?.round == order.order.round { pending = nil }
      unmasked = latest?.order == order.order ? latest : nil
      masked = MaskedVisit(order, among: clients, masking, federation: federation, options)
    }
    guard let message = masked?.advertisement else { return }
    send(.share, round: UInt64(order.order.round), offset: Int(message.kind), Frame(copying: message.bytes))
  }

  func relayed(_ header: Header, _ body: Frame?) throws {
    guard let masked, header.round == UInt64(masked.round), let body else { return }
    let bytes = Array(body.bytes)
    let answer: (kind: UInt8, bytes: [UInt8])?
    do throws(SecureAggregationError) { answer = try masked.answer(header.offset, bytes) } catch {
      return decline(masked.round, error.message)
    }
    if let answer {
      guard try answer.kind != RevealedShares.kind || mayReveal(bytes, masked.round) else {
        return decline(masked.round, "it has revealed shares of this round for other survivors")
      }
      send(.share, round: header.round, offset: Int(answer.kind), Frame(copying: answer.bytes))
    }
    try maskAndOffer()
  }

  /// Whether shares may be given for a list of survivors: of a round ever only for one, which is on disk before.  Two sums of a
  /// round of different clients would tell what lies between them; of the same ones, as after the server's restart, they are the
  /// same.
  private func mayReveal(_ list: [UInt8], _ round: Int) throws -> Bool {
    let digest = Digests.sha256(list)
    guard revealed.allows(digest, round: round) else { return false }
    if revealed.add(digest, round: round), let store, let welcome {
      try store.save(revealed, of: welcome.federation)
    }
    return true
  }

  /// Once it has trained and the shares are there.
  func maskAndOffer() throws {
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
}

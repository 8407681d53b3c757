import Datasets
import Federated

/// Rounds whose uploads are masked.
extension FederatedClient {
  func beginMasking(_ order: OrderBody) throws {
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

  func relayed(_ header: Header, _ body: Frame?) throws {
    guard let masked, header.round == UInt64(masked.round), let body else { return }
    do throws(SecureAggregationError) {
      if let answer = try masked.answer(header.offset, Array(body.bytes)) {
        send(.share, round: header.round, offset: Int(answer.kind), Frame(copying: answer.bytes))
      }
    } catch { return decline(masked.round, error.message) }
    try maskAndOffer()
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

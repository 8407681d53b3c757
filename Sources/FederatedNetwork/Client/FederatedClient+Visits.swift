import Datasets
import Federated

/// What the server orders, and training.
extension FederatedClient {
  func ordered(_ body: Frame?) throws {
    guard let order = Body.read(OrderBody.self, body), order.order.isPossible, order.downloadBytes >= 0,
      order.downloadBytes <= remote?.largestDownload ?? 0
    else {
      throw FederatedError(.peerLost, "the server at \(options.address) orders what cannot be understood")
    }
    if let reason = admits(order) ?? remote?.refusal(of: order.order, among: order.maskedAmong) {
      return decline(order.order.round, reason)
    }
    let isSame = self.order?.order == order.order
    self.order = order
    beginMasking(order)
    if let pending, pending.round == order.order.round { return offer() }
    if isTraining || unmasked?.order == order.order { return }
    try begin(order, isSame: isSame)
  }

  func decline(_ round: Int, _ reason: String) {
    options.log("declines round \(round + 1): \(reason)")
    send(.decline, round: UInt64(round), .text(reason))
  }

  func begin(_ order: OrderBody, isSame: Bool = false) throws {
    let round = UInt64(order.order.round)
    guard let kind = order.download, held != order.order.round else { return train(order) }
    // A step leads from one round to the next, and from nowhere else: the server is told what is here, and orders anew.
    if kind == .step, held != order.order.round - 1 { return try beReady() }
    if !isSame || fetch?.round != round || fetch?.kind != kind || fetch?.assembly.total != order.downloadBytes {
      fetch = (round, kind, Assembly.make(total: order.downloadBytes, from: &spare), 0)
    }
    ask()
  }

  func train(_ order: OrderBody) {
    guard let remote, !isTraining else { return }
    (isTraining, isCancelled) = (true, false)
    thread.start(remote, order.order)
    training = order.order
  }

  /// Stops training for a round that is over.
  func cancelTraining(of round: Int) {
    guard isTraining, training?.round == round else { return }
    isCancelled = true
    remote?.cancel()
  }

  func trained() throws {
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
}

/// What a client makes sure of before it does what an order wants.
///
/// A server that may do anything must not learn more of one client under masks than of all: it must not let the others add
/// nothing, or make believe that there are few of them.  Cohort, weights and passes follow from configuration and seed, so that
/// a client draws them again; what other clients bring along (`federated.network.largest-client`) alone it cannot know.
extension RemoteClient {
  /// Why an order is not one of the federation that the client takes part in; nil where it is.  `clients` are those of a masked
  /// round, nil where uploads are not masked.
  public func refusal(of order: VisitOrder, among clients: Int?) -> String? {
    if (setting.secureAggregation != nil) != (clients != nil) {
      return "the task and the order differ in whether uploads are masked"
    }
    if order.epochs == 0 || order.weight == 0 { return "it orders no work, or work that weighs nothing" }
    if !setting.allows(changeLimit: order.changeLimit) {
      let limit = order.changeLimit.map { "a norm of \($0)" } ?? "no largest norm"
      return "it orders \(limit) for changes, which the task does not"
    }
    guard let masks = setting.secureAggregation, let clients else { return nil }
    return maskedRefusal(order, masks, among: clients)
  }

  private func maskedRefusal(_ order: VisitOrder, _ masks: SecureAggregationOptions, among clients: Int) -> String? {
    cohort.select(order.round, 0, before: 0, plan, isElsewhere: true)
    guard let place = cohort.clients.firstIndex(of: Int32(client)) else {
      return "the task's draw of round \(order.round + 1) has no client \(client)"
    }
    if clients != cohort.masked {
      return "it is among \(clients) clients by the order, and among \(cohort.masked) by the task"
    }
    if let reason = masks.refusal(cohort: clients) { return reason }
    let weights = setting.clientsBringData ? [samples, cohort.isCommonWeight ? 1 : samples] : [cohort.weights[place]]
    let total = setting.clientsBringData ? order.totalWeight : cohort.totalWeight
    guard order.epochs == cohort.epochs[place], order.learningRate == task.learningRate(round: order.round),
      weights.contains(order.weight), order.totalWeight == total
    else {
      return "it orders \(order.epochs) epochs at rate \(order.learningRate) and weight \(order.weight) of "
        + "\(order.totalWeight), which is not what the task says"
    }
    return nil
  }
}

import Datasets

extension FederatedSetting {
  /// Makes sure that a plan, and all else that is set, goes without cohorts.
  func adapt(
    _ plan: FederatedPlan, _ asynchronous: AsynchronousOptions, _ strategy: String, _ task: FederatedTask
  ) throws(FederatedError) {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(FederatedError) {
      if !condition { throw FederatedError(.configuration, message()) }
    }
    let key = "federated.asynchronous"
    try require(
      plan.uploads.count == 1 && plan.changes == [0] && plan.uploads[0].count == plan.shared.count
        && plan.blocks.isEmpty && plan.stateCount == 0
        && plan.rule == nil && isAveraging(strategy),
      "\(key) is about clients that upload the change of the model alone and remember nothing, which \(strategy) is not: take "
        + "fedavg, fedavgm, fedprox, fedadagrad, fedyogi or fedadam")
    try require(
      privacy == nil,
      "\(key) lets clients take part as they come, and the ε of federated.privacy is that of cohorts drawn by the server; "
        + "keep one of them")
    try require(
      secureAggregation == nil, "\(key) has no cohort that federated.secure-aggregation could mask; keep one of them")
    try require(
      compression.down == nil,
      "\(key) sends clients versions of the model with others between; remove federated.compression.down")
    try require(
      attack?.seesAll != true,
      "attackers of federated.attack little-is-enough look at a cohort, which \(key) does not have")
    try require(
      stragglers == nil,
      "\(key) waits for nobody; remove federated.stragglers, and say in federated.devices who is slow")
    try require(
      weighting != .samples, "\(key) weighs updates by their age alone; remove federated.weighting: samples")
    try require(
      devices.isAlwaysThere,
      "\(key) takes speed, bandwidth and latency of federated.devices; remove availability, dropout, deadline and "
        + "over-selection")
    let clients = task.partition.clients
    try require(
      asynchronous.buffer <= clients,
      "\(key).buffer is \(asynchronous.buffer), each update of another client, and there are \(clients); lower it")
    try require(
      asynchronous.concurrency <= clients,
      "\(key).concurrency is \(asynchronous.concurrency), and there are \(clients) clients; lower it")
  }

  /// Whether a strategy's clients upload how training has changed the model they were sent, from wherever that began.
  private func isAveraging(_ strategy: String) -> Bool {
    // The gradient of another version is no change of the model.
    strategy != FedSGD.name
  }
}

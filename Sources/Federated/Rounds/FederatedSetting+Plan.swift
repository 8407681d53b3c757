import Compression
import Configuration
import Datasets

extension FederatedSetting {
  /// What a setting changes of a strategy's plan; throws where they do not go together.
  func adapt(_ plan: inout FederatedPlan, of strategy: String, _ task: FederatedTask) throws(FederatedError) {
    if let attack { try adapt(&plan, attack, strategy, task) }
    if changeLimit != nil {
      try require(!plan.changes.isEmpty, "federated.clip shortens changes of the model, and \(strategy) uploads none")
      try require(privacy == nil, "federated.clip and federated.privacy both clip; keep federated.privacy.clip alone")
    }
    if let privacy { try adapt(&plan, privacy, strategy, task) }
    try compress(&plan, strategy, task)
    if let secureAggregation { try adapt(&plan, secureAggregation, strategy, task) }
    if let asynchronous { try adapt(plan, asynchronous, strategy, task) }
    if let rule = plan.rule {
      do throws(ConfigurationError) { try rule.check(clients: task.cohort) } catch {
        throw FederatedError(.configuration, error.message)
      }
    }
  }

  private func adapt(
    _ plan: inout FederatedPlan, _ attack: AttackOptions, _ strategy: String, _ task: FederatedTask
  ) throws(FederatedError) {
    if attack.needsChange {
      try require(
        !plan.changes.isEmpty,
        "this federated.attack is done to changes of the model, and \(strategy) uploads none; take label-flip")
    } else {
      try require(task.training.classCount != nil, "federated.attack is label-flip, and the data have no classes")
    }
    guard attack.seesAll else { return }
    try require(
      plan.changes == [0],
      "attackers of federated.attack little-is-enough need one change first in the upload, which \(strategy) does not have"
    )
    try require(
      compression.up == nil,
      "attackers of federated.attack little-is-enough need the honest changes as they are; remove federated.compression.up"
    )
    plan.isSeenTogether = true
  }

  private func adapt(
    _ plan: inout FederatedPlan, _ privacy: PrivacyOptions, _ strategy: String, _ task: FederatedTask
  ) throws(FederatedError) {
    let others = plan.uploads.filter { $0.kind != .change }.map(\.name)
    try require(
      others.isEmpty,
      "federated.privacy covers changes of the model alone, and \(strategy) uploads \(others.joined(separator: ", "))")
    try require(plan.uploads.count == 1, "federated.privacy covers one change of the model, which \(strategy) lacks")
    try require(
      plan.rule == nil,
      "federated.privacy needs a mean, to which one client adds a bounded part; \(strategy) takes none: take fedavg")
    try require(
      plan.weighting != .samples && weighting != .samples,
      "federated.privacy lets all clients weigh the same, where weights are their samples; set federated.weighting: clients"
    )
    try require(
      devices.isIdeal && stragglers == nil,
      "the ε of federated.privacy is that of clients whose part the draw alone decides, whoever else is there; remove "
        + "federated.devices and stragglers")
    try require(
      attack?.seesAll != true,
      "attackers of federated.attack little-is-enough send what others have trained, which federated.privacy cannot count"
    )
    plan.weighting = .clients
  }

  private func adapt(
    _ plan: inout FederatedPlan, _ masks: SecureAggregationOptions, _ strategy: String, _ task: FederatedTask
  ) throws(FederatedError) {
    try require(
      attack?.seesAll != true,
      "attackers of federated.attack little-is-enough look at all changes, which federated.secure-aggregation hides")
    try require(
      !plan.keepsChanges,
      "federated.secure-aggregation yields sums, and \(strategy) looks at changes one by one: take fedavg")
    try require(
      compression.up == nil,
      "federated.secure-aggregation takes 8 bytes a scalar whatever it is; remove federated.compression.up")
    var cohort = task.cohort
    if case .fixed(let wanted) = sampling { cohort = devices.selected(wanted: wanted, of: task.partition.clients) }
    try masks.check(cohort: cohort)
    plan.uploads = plan.uploads.map { part in
      UploadPart(part.name, part.kind, count: part.count, bytes: 8 * part.count, isUnweighted: part.isUnweighted)
    }
    plan.isMasked = true
  }

  private func compress(
    _ plan: inout FederatedPlan, _ strategy: String, _ task: FederatedTask
  ) throws(FederatedError) {
    if compression.up == nil && compression.down == nil { return }
    try require(
      plan.changes.count == 1 && plan.uploads[plan.changes[0]].count == plan.shared.count
        && !plan.uploads.contains { $0.kind == .votes },
      "federated.compression is about the model and its change, which \(strategy) sends in its own way")
    let pieces = ChangePieces(plan, task)
    if let up = compression.up {
      let part = plan.uploads[plan.changes[0]]
      plan.uploads[plan.changes[0]] = UploadPart(part.name, part.kind, count: part.count, bytes: pieces.bytes(up))
      if up.keepsRest { plan.residualCount = plan.shared.count }
    }
    if let down = compression.down {
      let beside = plan.blocks.reduce(0) { $0 + $1.bytes }
      let whole = beside + 4 * plan.shared.count
      try require(
        plan.downloadBytes == (whole, whole),
        "federated.compression.down is about the model, which \(strategy) sends in its own way")
      plan.downloadBytes.follower = beside + pieces.bytes(down)
    }
  }

  private func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(FederatedError) {
    if !condition { throw FederatedError(.configuration, message()) }
  }

  /// The sampling that bounds of privacy are about.  A fixed cohort of all clients leaves nothing to the draw.
  func accounted(_ task: FederatedTask) -> CohortSampling {
    switch sampling {
    case .poisson(let rate): .poisson(rate: rate)
    case .fixed(let cohort):
      cohort == task.partition.clients
        ? .poisson(rate: 1) : .fixed(cohort: cohort, population: task.partition.clients)
    }
  }

  /// The weight that means divide by in place of that of the updates that came, where it must not depend on who came.
  func plannedWeight(_ cohort: Cohort) -> Int? {
    // Of a mean over K updates each weighs as much as its age leaves of it.
    if asynchronous != nil { return cohort.accepted * Staleness.unit }
    return privacy == nil ? nil : cohort.plannedWeight
  }

  /// Whether rounds without updates move the server: that nobody came is nobody's business.
  var combinesNothing: Bool { privacy != nil }
}

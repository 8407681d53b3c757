import Tensors

extension FederatedPlan {
  /// Averages a model but for the scalars that each client keeps and remembers, `own` by name.
  static func keeping(_ task: FederatedTask, where own: (_ name: String) -> Bool) -> FederatedPlan {
    let shared = SharedScalars(task.layout) { !own($0) }
    return FederatedPlan(shared: shared, stateCount: shared.others.count)
  }
}

/// A client that trains all scalars together, uploads the change of the shared ones and remembers the others, which begin as
/// the initial model's.
final class KeepingClient: ClientHalf {
  private let own: SharedScalars

  init(_ task: FederatedTask, _ plan: FederatedPlan) { own = plan.shared.others }

  func update(_ visit: ClientVisit) {
    recall(visit)
    visit.trainFromBroadcast(NoCorrection())
    visit.uploadChange()
    if let state = visit.state.baseAddress { own.gather(visit.trainer.model, into: state) }
  }

  /// The shared scalars as they were sent with the client's own as it left them.
  func personal(_ visit: ClientVisit) -> ParameterStore {
    recall(visit)
    visit.plan.shared.copy(visit.broadcast.model, into: visit.trainer.model)
    return visit.trainer.model
  }

  private func recall(_ visit: ClientVisit) {
    if visit.isKnown, let state = visit.state.baseAddress {
      own.scatter(state, into: visit.trainer.model)
    } else {
      own.copy(visit.broadcast.model, into: visit.trainer.model)
    }
  }
}

import Configuration
import Tensors

/// Federated averaging (McMahan, Moore, Ramage, Hampson, Agüera y Arcas, AISTATS 2017, algorithm 1), in difference form:
///
///     w ← w + Σ p_k (w_k − w)
///
/// Upload and download: the model, 4 bytes a scalar.
public struct FedAvg: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedavg"
  /// What it does.
  public static let help = "averages the models that clients have trained"

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// The change of all scalars.
  public func plan(_ task: FederatedTask) -> FederatedPlan { FederatedPlan(shared: SharedScalars(task.layout)) }

  /// Trains from the broadcast.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { AveragingClient() }

  /// Adds the mean change.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}

/// A client that trains from the broadcast and uploads the change.
final class AveragingClient: ClientHalf {
  func update(_ visit: ClientVisit) {
    visit.trainFromBroadcast(NoCorrection())
    visit.uploadChange()
  }
}

/// A server that adds the mean change.
final class AveragingServer: ServerHalf {
  private let plan: FederatedPlan
  private let broadcast: Broadcast

  init(_ plan: FederatedPlan, _ broadcast: Broadcast) {
    self.plan = plan
    self.broadcast = broadcast
  }

  func combine(_ outcome: RoundOutcome) { plan.shared.add(outcome.mean(0), to: broadcast.model) }
}

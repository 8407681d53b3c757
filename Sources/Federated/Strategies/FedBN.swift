import Configuration
import Layers
import Tensors

/// FedBN (Li, Jiang, Zhang, Kamp, Dou, ICLR 2021, algorithm 1): everything is averaged but batch normalisation, whose weight,
/// bias and running statistics stay with each client.
///
/// The server's model is the averaged rest with the batch normalisation that it began with, so that its own accuracy says
/// little: a client's model is the averaged rest with the client's batch normalisation, and for a client that never took part
/// with the initial one.  Upload and download: the rest, 4 bytes a scalar.
public struct FedBN: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedbn"
  /// What it does.
  public static let help = "averages models but for batch normalisation, which stays with each client"

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// The change of all scalars outside of batch normalisation; a model without any is refused.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    let statistic = "running_mean"
    let layers = task.layout.states.filter { $0.name.hasSuffix(statistic) }.map { $0.name.dropLast(statistic.count) }
    guard !layers.isEmpty else {
      throw FederatedError(
        .configuration,
        "federated.strategy is fedbn, but \(task.model.name) has no batch normalisation; add `batch-norm` to the model's "
          + "layers or use fedavg")
    }
    return .keeping(task) { name in layers.contains { name.hasPrefix($0) } }
  }

  /// Trains what is shared together with what is its own.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { KeepingClient(task, plan) }

  /// Adds the mean change.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}

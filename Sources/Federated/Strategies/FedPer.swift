import Configuration
import Layers
import Tensors

/// FedPer (Arivazhagan, Aggarwal, Singh, Choudhary 2019, algorithm 1): the first layers are averaged, the last stay with each
/// client; both are trained together.
///
/// The server's model is the averaged layers with the last ones that it began with; a client's is those with its own, and for
/// a client that never took part with the initial ones (the paper draws them anew for each client).  Upload and download: the
/// shared layers, 4 bytes a scalar.
public struct FedPer: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedper"
  /// What it does.
  public static let help = "averages the first layers of models, whose last stay with each client"
  private let personal: Int

  /// Reads how many layers stay.
  public init(options: inout Options) throws(ConfigurationError) {
    personal = try options.integer(
      "personal", default: 1, in: 1...1_000_000, unit: "layers",
      "last layers with parameters that stay with each client")
  }

  /// The change of all scalars but those of the last layers.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    let layers = task.model.parametrisedLayers
    guard personal < layers.count else {
      throw FederatedError(
        .configuration,
        "federated.strategy.personal is \(personal), but \(task.model.name) has \(layers.count) "
          + "layer\(layers.count == 1 ? "" : "s") with parameters and one must be shared; lower it or add layers")
    }
    let own = layers.suffix(personal).map { task.model.layers[$0].name + "." }
    return .keeping(task) { name in own.contains { name.hasPrefix($0) } }
  }

  /// Trains what is shared together with what is its own.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { KeepingClient(task, plan) }

  /// Adds the mean change.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}

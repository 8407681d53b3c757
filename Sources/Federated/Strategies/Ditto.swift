import Configuration
import Tensors

/// Ditto (Li, Hu, Beirami, Smith, ICML 2021, algorithm 1): beside an unchanged ``FedAvg`` each client trains a model of its
/// own, which a proximal term holds near the one it was sent:
///
///     v_k ← v_k − lr (∇F_k(v_k) + λ (v_k − w_t))
///
/// The global model is FedAvg's to the bit.  λ = 0 is local training.  A client's own model is v_k, and for a client that never
/// took part the server's.  Losses, steps and samples that are reported are those of the global part.  Upload and download: the
/// model, 4 bytes a scalar; a client remembers a model.
public struct Ditto: FederatedStrategy {
  /// The name in configurations.
  public static let name = "ditto"
  /// What it does.
  public static let help = "averages models, and beside it trains one for each client that is held near the average"
  private let lambda: Double
  private let epochs: Int?

  /// Reads λ and the passes.
  public init(options: inout Options) throws(ConfigurationError) {
    lambda = try options.number(
      "lambda", default: 1, in: .nonNegative, "how strongly a client's own model is held near the server's, λ")
    epochs = try options.optionalInteger(
      "epochs", in: 1...1_000_000, unit: "epochs",
      "passes that a client's own model is trained for in a round; without it those of the visit")
  }

  /// The change of all scalars, and a model that each client remembers.
  public func plan(_ task: FederatedTask) -> FederatedPlan {
    let shared = SharedScalars(task.layout)
    return FederatedPlan(shared: shared, stateCount: shared.count)
  }

  /// Trains both models.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    DittoClient(task, lambda: Float(lambda), epochs: epochs)
  }

  /// Adds the mean change.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}

private final class DittoClient: ClientHalf {
  let own: ParameterStore
  let lambda: Float
  let epochs: Int?

  init(_ task: FederatedTask, lambda: Float, epochs: Int?) {
    own = ParameterStore(task.layout)
    self.lambda = lambda
    self.epochs = epochs
  }

  func update(_ visit: ClientVisit) {
    visit.trainFromBroadcast(NoCorrection())
    visit.uploadChange()
    recall(visit)
    // Samples in the order that they came in, so that both models see them in the same batches.
    visit.trainer.load(visit.client)
    let term = ProximalTerm(mu: lambda, anchor: UnsafePointer(visit.broadcast.model.parameters.base))
    var update = OptimizerUpdate(visit.trainer, term)
    _ = visit.trainer.train(own, visit, epochs: epochs ?? visit.epochs, &update)
    if let state = visit.state.baseAddress { visit.plan.shared.gather(own, into: state) }
  }

  func personal(_ visit: ClientVisit) -> ParameterStore {
    recall(visit)
    return own
  }

  /// `own` ← the client's model.
  private func recall(_ visit: ClientVisit) {
    if visit.isKnown, let state = visit.state.baseAddress {
      visit.plan.shared.scatter(state, into: own)
    } else {
      visit.plan.shared.copy(visit.broadcast.model, into: own)
    }
  }
}

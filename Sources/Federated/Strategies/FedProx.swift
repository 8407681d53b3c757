import Configuration
import Tensors

/// FedProx (Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith, MLSys 2020, algorithm 2): clients minimise F_k(w) + μ/2 ‖w − w_t‖².
///
/// Clients that are slow train fewer epochs and still count: `federated.stragglers`.  μ = 0 without stragglers is ``FedAvg``.
public struct FedProx: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedprox"
  /// What it does.
  public static let help = "averages models that a proximal term holds near the server's"
  private let mu: Double

  /// Reads μ.
  public init(options: inout Options) throws(ConfigurationError) {
    mu = try options.number("mu", default: 0.01, in: .nonNegative, "weight of the proximal term, μ")
  }

  /// The change of all scalars.
  public func plan(_ task: FederatedTask) -> FederatedPlan { FederatedPlan(shared: SharedScalars(task.layout)) }

  /// Trains from the broadcast, held by the proximal term.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    ProximalClient(mu: Float(mu))
  }

  /// Adds the mean change.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}

/// The gradient of μ/2 ‖w − anchor‖²: g ← g + μ (w − anchor).
struct ProximalTerm: GradientCorrection {
  let mu: Float
  let anchor: UnsafePointer<Float>

  func correct(_ step: LocalStep) {
    if mu == 0 { return }
    ProximalTerm.add(mu, step.parameters, anchor, to: step.gradients, step.count)
  }

  @inline(never)
  private static func add(
    _ mu: Float, _ w: UnsafePointer<Float>, _ anchor: UnsafePointer<Float>, to g: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      g[i] += mu * (w[i] - anchor[i])
      i &+= 1
    }
  }
}

private final class ProximalClient: ClientHalf {
  let mu: Float

  init(mu: Float) { self.mu = mu }

  func update(_ visit: ClientVisit) {
    visit.trainFromBroadcast(ProximalTerm(mu: mu, anchor: UnsafePointer(visit.broadcast.model.parameters.base)))
    visit.uploadChange()
  }
}

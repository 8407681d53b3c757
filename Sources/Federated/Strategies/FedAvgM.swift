import Configuration
import Tensors

/// Federated averaging with momentum at the server (Hsu, Qi, Brown 2019, section 3.3), in difference form:
///
///     v ← β v + Σ p_k (w_k − w)
///     w ← w + η v
///
/// The paper has the opposite sign of v, and η = 1.  β = 0 with η = 1 is ``FedAvg`` to the bit.
/// Upload and download: the model, 4 bytes a scalar.
public struct FedAvgM: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedavgm"
  /// What it does.
  public static let help = "averages the models that clients have trained, with momentum at the server"
  private let beta: Double
  private let eta: Double

  /// Reads β and η.
  public init(options: inout Options) throws(ConfigurationError) {
    beta = try options.number("beta", default: 0.9, in: .fractionBelowOne, "momentum of the server, β")
    eta = try options.number("eta", default: 1, in: .positive, "learning rate of the server, η")
  }

  /// The change of all scalars.
  public func plan(_ task: FederatedTask) -> FederatedPlan { FederatedPlan(shared: SharedScalars(task.layout)) }

  /// Trains from the broadcast.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { AveragingClient() }

  /// Moves by the momentum.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    SteppingServer(ServerMomentum(beta: beta, eta: eta, count: task.layout.parameterCount), plan, broadcast)
  }
}

/// v ← β v + change; the step is η v.
struct ServerMomentum: ServerStep {
  let beta: Float
  let eta: Float
  private let velocity: Storage

  init(beta: Double, eta: Double, count: Int) {
    self.beta = Float(beta)
    self.eta = Float(eta)
    velocity = Storage(zeros: count)
  }

  var memory: [ServerMemory] { [ServerMemory("momentum", velocity)] }

  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome) {
    ServerMomentum.step(beta, eta, velocity.base, change, count)
  }

  @inline(never)
  private static func step(
    _ beta: Float, _ eta: Float, _ v: UnsafeMutablePointer<Float>, _ change: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let velocity = beta * v[i] + change[i]
      v[i] = velocity
      change[i] = eta * velocity
      i &+= 1
    }
  }
}

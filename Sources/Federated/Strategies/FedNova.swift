import Configuration
import Optimizers
import Tensors

/// Normalised averaging (Wang, Liu, Liang, Joshi, Poor, NeurIPS 2020, section 4.2 and equation 4): clients that make more
/// steps do not pull the model towards themselves:
///
///     d_k = (w_k − w) / a_k        w ← w + (Σ p_k a_k)(Σ p_k d_k)
///
/// a_k is how much the gradients of the visit's τ steps count together in w − w_k, divided by the learning rate: τ for plain
/// gradient descent, with momentum r its unrolled sums, and a ← (1 − ημ) a + c for each step's c with a proximal term.
///
/// The proximal term μ (w_k − w) goes around the momentum, as in the authors' code; with μ > 0 that also takes Σ p_k τ_k for
/// Σ p_k a_k, and so does this.  Weight decay is left out of a_k.  `server-momentum` is the code's momentum of steps, 0 unless
/// it is given.  With as many steps for all clients of plain gradient descent it is ``FedAvg``, but for rounding.
/// Upload: 4 bytes a scalar and 4.  Download: the model.
public struct FedNova: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fednova"
  /// What it does.
  public static let help = "averages changes divided by how many steps they took"
  private let mu: Double
  private let momentum: Double

  /// Reads μ and the server's momentum.
  public init(options: inout Options) throws(ConfigurationError) {
    mu = try options.number("mu", default: 0, in: .nonNegative, "weight of a proximal term, μ")
    momentum = try options.number(
      "server-momentum", default: 0, in: .fractionBelowOne, "momentum of the server's steps")
  }

  /// The normalised change, and what it was divided by.  Throws for optimizers whose steps do not add up gradients.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    guard task.optimizer.rule is SGD else {
      throw FederatedError(
        .configuration, "fednova counts gradients in steps of sgd and has \(task.optimizer.name); set optimizer: sgd")
    }
    let shared = SharedScalars(task.layout)
    return FederatedPlan(
      shared: shared, uploads: [.change(count: shared.count), UploadPart("steps", .numbers, count: 1)])
  }

  /// Trains from the broadcast, and divides.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    guard let rule = task.optimizer.rule as? SGD else { preconditionFailure("\(task.optimizer.name) was checked") }
    return NormalisedClient(rule, mu: mu)
  }

  /// Multiplies by the mean of what clients divided by.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    if momentum == 0 { return SteppingServer(EffectiveStep(), plan, broadcast) }
    let step = ServerMomentum(beta: momentum, eta: 1, count: task.layout.parameterCount)
    return SteppingServer(MomentumOfSteps(momentum: step), plan, broadcast)
  }
}

/// What gradients count together in a visit.
struct NormalisedSteps {
  let momentum: Double
  let nesterov: Bool
  /// ημ.
  let pull: Double

  /// a after τ steps.
  func count(_ steps: Int) -> Double {
    var (motion, sum) = (0.0, 0.0)
    for _ in 0..<steps {
      motion = momentum * motion + 1
      sum = (1 - pull) * sum + (nesterov ? 1 + momentum * motion : motion)
    }
    return sum
  }
}

private final class NormalisedClient: ClientHalf {
  private let rule: SGD
  private let mu: Double
  /// Numbers of steps are uploaded in this unit, since sums take nothing above 2⁸: 2²⁰ is the most.
  static let unit: Float = 0x1p12

  init(_ rule: SGD, mu: Double) {
    self.rule = rule
    self.mu = mu
  }

  func update(_ visit: ClientVisit) {
    guard let change = visit.upload.scalars(0).baseAddress else { return }
    let (model, trainer) = (visit.trainer.model, visit.trainer)
    visit.plan.shared.copy(visit.broadcast.model, into: model)
    var update = PulledUpdate(
      inner: OptimizerUpdate(trainer, NoCorrection()), mu: mu,
      anchor: UnsafePointer(visit.broadcast.model.parameters.base))
    visit.train(model, &update)
    visit.uploadChange()
    let steps = NormalisedSteps(momentum: rule.momentum, nesterov: rule.nesterov, pull: visit.learningRate * mu)
    let divisor = steps.count(visit.outcome.steps)
    VectorMath.scale(change, by: Float(1 / divisor), count: model.parameters.count)
    visit.upload.scalars(1)[0] = Float(mu > 0 ? Double(visit.outcome.steps) : divisor) / NormalisedClient.unit
  }
}

/// w ← w − ημ (w − anchor), then the optimizer's step by the gradients that were taken before.
private struct PulledUpdate: LocalUpdate {
  var inner: OptimizerUpdate<NoCorrection>
  let mu: Double
  let anchor: UnsafePointer<Float>

  mutating func update(_ step: LocalStep) {
    if mu > 0 {
      PulledUpdate.pull(Float(step.learningRate * mu), step.parameters, towards: anchor, step.count)
    }
    inner.update(step)
  }

  @inline(never)
  private static func pull(
    _ share: Float, _ w: UnsafeMutablePointer<Float>, towards anchor: UnsafePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      w[i] -= share * (w[i] - anchor[i])
      i &+= 1
    }
  }
}

/// The step is as many normalised changes as clients made on average.
private struct EffectiveStep: ServerStep {
  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome) {
    VectorMath.scale(change, by: NormalisedClient.unit * outcome.mean(1)[0], count: count)
  }
}

/// The same with momentum.
private struct MomentumOfSteps: ServerStep {
  let momentum: ServerMomentum

  var memory: [ServerMemory] { momentum.memory }

  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome) {
    EffectiveStep().transform(change, count: count, outcome)
    momentum.transform(change, count: count, outcome)
  }
}

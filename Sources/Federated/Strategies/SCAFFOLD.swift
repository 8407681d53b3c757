import Configuration
import Datasets
import Optimizers
import Tensors

/// Stochastic controlled averaging (Karimireddy, Kale, Mohri, Reddi, Stich, Suresh, ICML 2020, algorithm 1 with option II):
/// the server's variate c and each client's c_k estimate mean gradients, and correct every step for the drift between them:
///
///     y ← y − η (g − c_k + c)                     from y = x
///     c_k⁺ = c_k − c + (x − y) / (K η)            K steps
///     x ← x + η_g mean(y − x)        c ← c + m/N mean(c_k⁺ − c_k)
///
/// m of N clients take part; variates start at 0, so that a first round with η_g = 1 is ``FedAvg`` of equal weights, to the
/// bit.  Clients weigh alike unless `federated.weighting` says `samples`, and in c always.
///
/// Deviation: the correction c − c_k is subtracted after the optimizer's step, which for plain gradient descent is the same.
/// With momentum, (x − y) / (K η) is the mean *motion* of a step, and so is c: both are of what they correct, as in the
/// experiments of NIID-Bench (Li, Diao, Chen, He, ICDE 2022).  Other optimizers, whose motions are no sums of gradients, are
/// refused.
/// Upload: 8 bytes a parameter.  Download: the same.  A client remembers 4 bytes a parameter.
public struct SCAFFOLD: FederatedStrategy {
  /// The name in configurations.
  public static let name = "scaffold"
  /// What it does.
  public static let help = "averages models, whose drift from each other control variates correct"
  private let eta: Double

  /// Reads η_g.
  public init(options: inout Options) throws(ConfigurationError) {
    eta = try options.number("eta-g", default: 1, in: .positive, "learning rate of the server, η_g")
  }

  /// The change and the change of a variate; throws for other optimizers than gradient descent.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    guard task.optimizer.rule is SGD else {
      throw FederatedError(
        .configuration,
        "scaffold corrects steps of sgd and has \(task.optimizer.name), whose steps are no sums of gradients; "
          + "set optimizer: sgd")
    }
    let (shared, count) = (SharedScalars(task.layout), task.layout.parameterCount)
    var plan = FederatedPlan(
      shared: shared,
      uploads: [.change(count: shared.count), UploadPart("control", .numbers, count: count, isUnweighted: true)],
      blocks: [BroadcastBlock("control", count: count)], stateCount: count)
    plan.usualWeighting = .clients
    return plan
  }

  /// Trains with corrected steps.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { ControlledClient() }

  /// Moves model and variate.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    let step = ControlledStep(
      eta: Float(eta), control: broadcast.blocks[0], clients: Double(task.partition.clients))
    return SteppingServer(step, plan, broadcast)
  }
}

private final class ControlledClient: ClientHalf {
  func update(_ visit: ClientVisit) {
    guard let own = visit.state.baseAddress, let change = visit.upload.scalars(0).baseAddress,
      let difference = visit.upload.scalars(1).baseAddress
    else { return }
    let (model, control) = (visit.trainer.model, UnsafePointer(visit.broadcast.blocks[0].base))
    visit.plan.shared.copy(visit.broadcast.model, into: model)
    var update = ControlledUpdate(
      inner: OptimizerUpdate(visit.trainer, NoCorrection()), control: control, own: UnsafePointer(own))
    visit.train(model, &update)
    visit.uploadChange()
    let length = Double(visit.outcome.steps) * visit.learningRate
    // A learning rate of 0 tells nothing about gradients.
    let rate = length > 0 ? Float(1 / length) : 0
    ControlledClient.renew(own, control, change, rate, difference, model.parameters.count)
  }

  /// c_k ← c_k − c − change / (K η), and what that changed.
  @inline(never)
  private static func renew(
    _ own: UnsafeMutablePointer<Float>, _ control: UnsafePointer<Float>, _ change: UnsafePointer<Float>, _ rate: Float,
    _ difference: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    if rate == 0 { return difference.update(repeating: 0, count: count) }
    var i = 0
    while i < count {
      let renewed = own[i] - control[i] - change[i] * rate
      difference[i] = renewed - own[i]
      own[i] = renewed
      i &+= 1
    }
  }
}

/// The optimizer's step, then y ← y − η (c − c_k).
private struct ControlledUpdate: LocalUpdate {
  var inner: OptimizerUpdate<NoCorrection>
  let control: UnsafePointer<Float>
  let own: UnsafePointer<Float>

  mutating func update(_ step: LocalStep) {
    inner.update(step)
    ControlledUpdate.correct(step.parameters, Float(step.learningRate), control, own, step.count)
  }

  @inline(never)
  private static func correct(
    _ y: UnsafeMutablePointer<Float>, _ rate: Float, _ control: UnsafePointer<Float>, _ own: UnsafePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] -= rate * (control[i] - own[i])
      i &+= 1
    }
  }
}

/// The step is η_g times the mean change; the variate moves by the share of clients that have moved theirs.
private struct ControlledStep: ServerStep {
  let eta: Float
  let control: Storage
  let clients: Double

  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome) {
    ControlledStep.add(outcome.mean(1), Float(Double(outcome.updates) / clients), to: control.base, count)
    if eta != 1 { VectorMath.scale(change, by: eta, count: count) }
  }

  @inline(never)
  private static func add(
    _ x: UnsafePointer<Float>, _ share: Float, to control: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      control[i] += share * x[i]
      i &+= 1
    }
  }
}

import Configuration
import Datasets
import Layers
import Optimizers
import Tensors

/// Federated stochastic gradient descent (McMahan, Moore, Ramage, Hampson, Agüera y Arcas, AISTATS 2017, section 2): a client
/// uploads the mean gradient over all of its samples, and the server makes one step of the task's optimizer:
///
///     g ← Σ p_k ∇F_k(w)        w ← update(w, g)
///
/// The optimizer, its momentum included, is the server's; rounds count as its steps.  `federated.batch` bounds only how many
/// samples are computed at once; batch normalisation sees such a part by itself.  `training.clip` is of a client's gradient.
/// Upload: 4 bytes a scalar (the gradient, and the change of states).  Download: the model.
public struct FedSGD: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedsgd"
  /// What it does.
  public static let help = "clients upload the gradient over all of their samples; the server steps by `optimizer`"

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// One vector of all scalars.  Throws where clients are to train more than one gradient is.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    try task.requireOnePass(for: FedSGD.name)
    return FederatedPlan(shared: SharedScalars(task.layout))
  }

  /// Uploads its gradient.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { GradientClient() }

  /// Makes a step of the optimizer.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    OptimizingServer(task, broadcast)
  }
}

extension FederatedTask {
  /// Throws where clients are to make several passes or stop early: a gradient over all of a client's samples is one pass.
  func requireOnePass(for strategy: String) throws(FederatedError) {
    if local.epochs > 1 || local.steps != nil {
      throw FederatedError(
        .configuration,
        "\(strategy) takes one gradient over all samples of a client; leave out federated.epochs and federated.steps")
    }
  }
}

extension ClientVisit {
  /// `gradient` ← the mean gradient over all of the client's samples at the broadcast model, then the change of states.
  /// As many scalars as the model has.
  func differentiate(into gradient: UnsafeMutablePointer<Float>) {
    let (model, samples) = (trainer.model, trainer.samples)
    let (parameters, count) = (model.parameters.count, trainer.gradients.count)
    plan.shared.copy(broadcast.model, into: model)
    gradient.update(repeating: 0, count: count)
    let size = trainer.task.local.batchSize(of: samples.count)
    for first in stride(from: 0, to: samples.count, by: size) {
      let part = samples[first..<min(first + size, samples.count)]
      outcome.loss += trainer.differentiate(model, part, self, UInt64(round), of: samples.count)
      VectorMath.add(trainer.gradients.base, to: gradient, count: count)
    }
    outcome.steps = 1
    outcome.terms = samples.count * trainer.task.training.termsPerSample
    if let clip = trainer.task.local.clip {
      let norm = Reductions.squares(gradient, parameters).squareRoot()
      if norm > clip { VectorMath.scale(gradient, by: Float(clip / norm), count: parameters) }
    }
    // The statistics of all parts, weighted by their samples, move the states once.
    trainer.gradients.base.update(from: gradient, count: count)
    model.moveStates(trainer.gradients)
    let (after, before) = (model.states, broadcast.model.states)
    for i in 0..<after.count { gradient[parameters + i] = after.base[i] - before.base[i] }
  }
}

private final class GradientClient: ClientHalf {
  func update(_ visit: ClientVisit) {
    guard let gradient = visit.upload.scalars(0).baseAddress else { return }
    visit.differentiate(into: gradient)
  }
}

private final class OptimizingServer: ServerHalf {
  private let optimizer: Optimizer
  private let broadcast: Broadcast

  init(_ task: FederatedTask, _ broadcast: Broadcast) {
    optimizer = task.optimizer.make(layout: task.layout)
    self.broadcast = broadcast
  }

  var memory: [ServerMemory] { optimizer.states.map { ServerMemory($0.name, $0.storage) } }

  func combine(_ outcome: RoundOutcome) {
    let (parameters, states) = (broadcast.model.parameters, broadcast.model.states)
    let (gradient, all) = (outcome.mean(0), 0..<parameters.count)
    optimizer.measure(parameters: parameters.base, gradients: gradient, range: all, step: outcome.round)
    optimizer.update(
      parameters: parameters.base, gradients: gradient, range: all, step: outcome.round,
      learningRate: outcome.learningRate)
    VectorMath.add(gradient + parameters.count, to: states.base, count: states.count)
  }
}

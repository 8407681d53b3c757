import Configuration
import Tensors

/// Those whose loss would hold back the gradient's flow most, θ · Hg (GraSP), on ten samples a class that the server is given.
public struct GradientFlowCriterion: PruningCriterion {
  /// The name in configurations.
  public static let name = "grasp"
  /// What it does.
  public static let help = "keeps weights that the flow of gradients depends on most, on ten samples a class"
  /// Gradients need samples.
  public static let needsSamples = true

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Prunes in one step.
  public func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask {
    let sample = SampleGradient(task, outputScale: 1 / 200)
    let point = ParameterStore(task.layout)
    point.states.copy(from: store.states)
    let result = Storage(zeros: task.layout.gradientCount)
    return try Pruning.prune(task.layout, density: density, steps: 1) { mask, scores in
      PruningScores.gradientFlow(store.parameters.base, count: mask.count, into: scores) { parameters, gradient in
        point.parameters.base.update(from: parameters, count: mask.count)
        sample.compute(point, into: result)
        gradient.update(from: result.base, count: mask.count)
      }
    }
  }
}

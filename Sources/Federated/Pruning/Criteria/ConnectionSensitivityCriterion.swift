import Configuration
import Tensors

/// Those whose loss would change most without them, |θ ∂L/∂θ| (SNIP), on ten samples a class that the server is given.
public struct ConnectionSensitivityCriterion: PruningCriterion {
  /// The name in configurations.
  public static let name = "snip"
  /// What it does.
  public static let help = "keeps weights that the loss depends on most, by its gradient on ten samples a class"
  /// Gradients need samples.
  public static let needsSamples = true

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Prunes in one step.
  public func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask {
    let sample = SampleGradient(task)
    let gradient = Storage(zeros: task.layout.gradientCount)
    sample.compute(store, into: gradient)
    return try Pruning.prune(task.layout, density: density, steps: 1) { mask, scores in
      PruningScores.connectionSensitivity(
        store.parameters.base, gradient: gradient.base, count: mask.count, into: scores)
    }
  }
}

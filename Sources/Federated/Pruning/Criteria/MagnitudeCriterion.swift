import Configuration
import Tensors

/// The largest, |θ|.
public struct MagnitudeCriterion: PruningCriterion {
  /// The name in configurations.
  public static let name = "magnitude"
  /// What it does.
  public static let help = "keeps the largest weights; needs no data"
  /// Weights are enough.
  public static let needsSamples = false

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Prunes in one step.
  public func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask {
    try Pruning.prune(task.layout, density: density, steps: 1) { mask, scores in
      PruningScores.magnitude(store.parameters.base, count: mask.count, into: scores)
    }
  }
}

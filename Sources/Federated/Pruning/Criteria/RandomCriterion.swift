import Configuration
import Tensors

/// Any, drawn by the seed: what other criteria must be better than.
public struct RandomCriterion: PruningCriterion {
  /// The name in configurations.
  public static let name = "random"
  /// What it does.
  public static let help = "keeps weights drawn at random; needs no data"
  /// The seed is enough.
  public static let needsSamples = false

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Prunes in one step.
  public func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask {
    try Pruning.prune(task.layout, density: density, steps: 1) { mask, scores in
      PruningScores.random(seed: task.seed, count: mask.count, into: scores)
    }
  }
}

import Configuration
import Tensors

/// Those that most of the flow from input to output passes: ``SynapticFlow``.
public struct SynapticFlowCriterion: PruningCriterion {
  /// The name in configurations.
  public static let name = "synflow"
  /// What it does.
  public static let help = "keeps weights that most of the flow from input to output passes; needs no data"
  /// Weights are enough.
  public static let needsSamples = false
  private let steps: Int

  /// Reads the number of steps.
  public init(options: inout Options) throws(ConfigurationError) {
    steps = try options.integer(
      "steps", default: 100, in: 1...100_000, unit: "steps",
      "rounds of scoring and pruning; few of them empty whole layers at low densities")
  }

  /// Throws for a network that is no chain.
  public func check(_ task: FederatedTask) throws(ConfigurationError) { _ = try SynapticFlow(task.model) }

  /// Prunes in steps of an exponential schedule.
  public func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask {
    try SynapticFlow(task.model).prune(store, density: density, steps: steps)
  }
}

import Configuration
import Tensors

/// Which weights a network keeps: what a strategy's option `criterion:` names.
///
/// Adding one is a file and a line of ``PruningCatalog/all``.
public protocol PruningCriterion: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Whether it looks at samples.  A mask that does not is a function of seed and density, which whoever knows them can rebuild.
  static var needsSamples: Bool { get }

  /// Reads its options.
  init(options: inout Options) throws(ConfigurationError)

  /// Throws, naming the layer, for a network that it cannot judge.
  func check(_ task: FederatedTask) throws(ConfigurationError)

  /// The mask of a density over the weights of a store: ⌈ρN⌉ of the N prunable ones.  Throws where a layer would lose all its
  /// weights, with its name.
  func prune(
    _ store: ParameterStore, density: Double, _ task: FederatedTask
  ) throws(ConfigurationError) -> PruningMask
}

extension PruningCriterion {
  /// Any network.
  public func check(_ task: FederatedTask) throws(ConfigurationError) {}
}

/// The criteria that a configuration can name, one line each.
public enum PruningCatalog {
  /// All of them.
  public static let all: [any PruningCriterion.Type] = [
    SynapticFlowCriterion.self,
    ConnectionSensitivityCriterion.self,
    GradientFlowCriterion.self,
    MagnitudeCriterion.self,
    RandomCriterion.self,
  ]

  /// Reads the key `criterion` of a strategy.
  static func read(_ options: inout Options) throws(ConfigurationError) -> any PruningCriterion {
    try options.named(
      "criterion", of: all.map { $0.name }, default: SynapticFlowCriterion.name, "which weights are kept"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      return try type.init(options: &options)
    }
  }
}

import Configuration
import Datasets
import Layers

/// How a batch becomes gradients: end-to-end backpropagation, or losses local to each block.  The `learning:` of a
/// configuration.
///
/// Adding a rule is a file and a line of ``LearningCatalog/all``.
public protocol LearningRule: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Reads its own options; those of every rule are read by ``LearningConfiguration``.
  init(options: inout Options) throws(ConfigurationError)
  /// Makes the rule ready for a model: declares what it owns beside the model's parameters.  Errors name the layer that the
  /// rule cannot train, and why.
  func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning
  /// The same for a rule that is made for the samples too, those that it is to learn from.
  func prepare(
    _ model: Model, _ objective: Objective, _ data: any DataSource
  ) throws(ConfigurationError) -> any ModelLearning
}

extension LearningRule {
  /// The samples do not matter.
  public func prepare(
    _ model: Model, _ objective: Objective, _ data: any DataSource
  ) throws(ConfigurationError) -> any ModelLearning {
    try prepare(model, objective)
  }
}

/// The rules that a configuration can name, one line each.
public enum LearningCatalog {
  /// All of them.
  public static let all: [any LearningRule.Type] = [
    Backpropagation.self,
    Greedy.self,
    DecoupledGreedy.self,
    InfoPro.self,
    AugLocal.self,
    MomentumAuxiliary.self,
    FeedbackAlignment.self,
    DirectFeedbackAlignment.self,
    DirectRandomTargetProjection.self,
    TargetProjectionDescent.self,
    ForwardForward.self,
    ForwardGNN.self,
    NoProp.self,
    CounterCurrent.self,
    GradientBoosted.self,
  ]
}

import Configuration
import Layers
import Tensors

/// How a batch becomes gradients: end-to-end backpropagation, or losses local to each block.
///
/// A rule records the program of a shard once; what it records decides what is computed, kept and freed.  Adding a rule is
/// a file and a line of `LearningCatalog.all`.
public protocol LearningRule: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Reads its options.
  init(options: inout Options) throws(ConfigurationError)
  /// Records forward pass, losses and gradients of `model` for one shard.  Metric 0 is the sum of the reported loss over
  /// the samples; metric 1, for classes, the number of correct ones.
  func record(_ model: Model, _ objective: Objective, _ recorder: Recorder)
}

/// The rules that a configuration can name, one line each.
public enum LearningCatalog {
  /// All of them.
  public static let all: [any LearningRule.Type] = [
    Backpropagation.self
  ]

  /// Reads the key `learning:`.
  public static func read(_ options: inout Options) throws(ConfigurationError) -> any LearningRule {
    try options.named(
      "learning", of: all.map { $0.name }, default: Backpropagation.name, "how a batch becomes gradients"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      return try type.init(options: &options)
    }
  }
}

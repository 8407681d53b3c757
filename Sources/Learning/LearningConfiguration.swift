import Configuration
import Layers

/// The `learning:` of a configuration: a rule, and what can be asked of every rule.
public struct LearningConfiguration: Sendable {
  /// How a batch becomes gradients.
  public let rule: any LearningRule
  /// Noise that is added to gradients.
  public let noise: GradientNoise?
  /// A model whose representations are followed.
  public let guidance: Guidance?

  /// The rule's name.
  public var name: String { type(of: rule).name }

  /// Reads the key `learning:`.
  public init(_ options: inout Options) throws(ConfigurationError) {
    let all = LearningCatalog.all
    (rule, noise, guidance) = try options.named(
      "learning", of: all.map { $0.name }, default: Backpropagation.name, "how a batch becomes gradients"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      let rule = try type.init(options: &options)
      let noise = try GradientNoise.read(&options)
      let guidance = try Guidance.read(&options)
      try options.require(
        guidance == nil || rule is Backpropagation, key: "guidance",
        "learning.guidance needs the gradient of one loss through the whole model; leave it out, or choose "
          + "learning: backpropagation instead of \(name)")
      return (rule, noise, guidance)
    }
  }

  /// Makes rule and guidance ready for a model.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    guard let guidance else { return try rule.prepare(model, objective) }
    return try guidance.prepare(model, objective)
  }
}

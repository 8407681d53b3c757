import Configuration
import Datasets
import Layers

/// The `learning:` of a configuration: a rule, what can be asked of every rule, and how its modules are spread over ranks.
public struct LearningConfiguration: Sendable {
  /// How a batch becomes gradients.
  public let rule: any LearningRule
  /// Noise that is added to gradients.
  public let noise: GradientNoise?
  /// A model whose representations are followed.
  public let guidance: Guidance?
  /// Ranks that share the modules of one model, each with consecutive ones.
  public let stages: Int

  /// The rule's name.
  public var name: String { type(of: rule).name }

  /// Reads the key.
  public init(_ options: inout Options) throws(ConfigurationError) {
    (rule, noise, guidance, stages) = try options.named(
      "learning", of: LearningCatalog.all.map { $0.name }, default: Backpropagation.name,
      "how a batch becomes gradients"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = LearningCatalog.all.first(where: { $0.name == name }) else {
        preconditionFailure("\(name) was checked")
      }
      let stages = try options.integer(
        "stages", default: 1, in: 1...1 << 16,
        "ranks that share a model's modules: each trains consecutive ones, and passes on what they make")
      let noise = try GradientNoise.read(&options)
      let guidance = try Guidance.read(&options)
      try options.require(
        guidance == nil || type == Backpropagation.self, key: "guidance",
        "learning.guidance needs the gradient of one loss through the whole model; leave it out, or choose "
          + "learning: backpropagation instead of \(name)")
      return (try type.init(options: &options), noise, guidance, stages)
    }
  }

  /// Makes rule and guidance ready for a model, and for the samples to learn from where there are some yet.
  public func prepare(
    _ model: Model, _ objective: Objective, _ data: (any DataSource)? = nil
  ) throws(ConfigurationError) -> any ModelLearning {
    if let guidance { return try guidance.prepare(model, objective) }
    guard let data else { return try rule.prepare(model, objective) }
    return try rule.prepare(model, objective, data)
  }
}

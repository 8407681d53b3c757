import Configuration

/// The `learning:` of a configuration: a rule, and how its modules are spread over ranks.
public struct LearningConfiguration: Sendable {
  /// How a batch becomes gradients.
  public let rule: any LearningRule
  /// Ranks that share the modules of one model, each with consecutive ones.
  public let stages: Int

  /// Reads the key.
  public init(_ options: inout Options) throws(ConfigurationError) {
    var stages = 1
    rule = try options.named(
      "learning", of: LearningCatalog.all.map { $0.name }, default: Backpropagation.name,
      "how a batch becomes gradients"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = LearningCatalog.all.first(where: { $0.name == name }) else {
        preconditionFailure("\(name) was checked")
      }
      stages = try options.integer(
        "stages", default: 1, in: 1...1 << 16,
        "ranks that share a model's modules: each trains consecutive ones, and passes on what they make")
      return try type.init(options: &options)
    }
    self.stages = stages
  }
}

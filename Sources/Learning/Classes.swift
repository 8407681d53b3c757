import Configuration
import Layers
import Tensors

/// What rules ask for that learn from classes of whole samples.
enum Classes {
  /// Throws unless the targets are one class a sample, of two or more, and samples are numbers.
  static func require(_ model: Model, _ objective: Objective, for rule: String) throws(ConfigurationError) {
    guard model.input.vocabulary == nil else {
      throw ConfigurationError(
        "rule \(rule) cannot train layer `\(model.layers.first?.name ?? "0")` on tokens: it learns from samples of numbers"
      )
    }
    guard objective.loss == .crossEntropy, objective.target.rank == 0 else {
      throw ConfigurationError(
        "rule \(rule) learns from one class a sample, but the targets are \(objective.loss.rawValue) "
          + "of \(Signal(objective.target)); choose data with classes")
    }
    guard model.output.shape.rank == 1, model.output.shape.count > 1 else {
      throw ConfigurationError("rule \(rule) needs two classes or more, and \(model.name) makes \(model.output)")
    }
  }
}

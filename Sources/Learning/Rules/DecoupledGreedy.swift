import Configuration
import Layers
import Tensors

/// Decoupled greedy learning (Belilovsky, Eickenberg, Oyallon 2020): every block learns from a classifier of its own, all at
/// the same time.
public struct DecoupledGreedy: LearningRule {
  /// The name in configurations.
  public static let name = "dgl"
  /// What it does.
  public static let help = "every block learns from a classifier of its own, all blocks at the same time"

  private let count: Int?

  /// Reads `blocks`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
  }

  /// One head a block but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    var scope = ParameterScope(after: model.layout)
    var losses: [any LocalLoss] = []
    for index in blocks.bodies.indices.dropLast() {
      let name = "auxiliary.\(index)"
      let head = try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
        try AuxiliaryHead.linear(blocks.output(of: index, model), outputs: model.output, in: &scope)
      }
      losses.append(HeadLoss(head: head, scope: name, objective: objective))
    }
    let extended = model.extended(scope.layout)
    let modules = blocks.modules.enumerated().map { index, layers in
      LearningModule(extended, layers: layers, auxiliary: index < losses.count ? ["auxiliary.\(index)"] : [])
    }
    return LocallyTrainedModel(model: extended, objective: objective, modules: modules, losses: losses)
  }
}

import Configuration
import Layers

/// Decoupled greedy learning (Belilovsky, Eickenberg, Oyallon 2020): every block learns from a classifier of its own, all at
/// the same time.
public struct DecoupledGreedy: LearningRule {
  /// The name in configurations.
  public static let name = "dgl"
  /// What it does.
  public static let help = "every block learns from a classifier of its own, all blocks at the same time"

  private let count: Int?
  private let head: AuxiliaryHead

  /// Reads `blocks` and `head`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    head = try AuxiliaryHead.read(&options, default: .full)
  }

  /// One head a block but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    return try LocallyTrainedModel(model, objective, modules: blocks.modules, head)
  }
}

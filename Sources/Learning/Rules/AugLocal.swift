import Configuration
import Layers

/// Augmented local learning (Ma, Wu et al., ICLR 2024): every block but the last ones learns through copies of the architecture
/// of some of the blocks after it, chosen evenly up to the last.
public struct AugLocal: LearningRule {
  /// The name in configurations.
  public static let name = "auglocal"
  /// What it does.
  public static let help = "every block learns through fresh copies of some of the blocks after it"

  private let count: Int?
  private let depth: Int?
  private let pyramid: Double

  /// Reads `blocks`, `depth` and `pyramid`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    depth = try options.optionalInteger(
      "depth", in: 1...1 << 16,
      "most blocks of an auxiliary net; the last module has one more than these; without it 2, or 1 of two blocks")
    pyramid = try options.number(
      "pyramid", default: 0.5, in: .fraction, "how much of the depth the auxiliary nets lose from first to last")
  }

  /// One auxiliary net a module but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    let layers = blocks.bodies.count
    guard layers > 1 else {
      throw ConfigurationError(
        "rule \(Self.name) learns through blocks that follow, but model `\(model.name)` is one block, which ends with layer "
          + "`\(model.layers[blocks.bodies[0].upperBound - 1].name)`; add a hidden layer, or choose backpropagation")
    }
    let depth = self.depth ?? min(2, layers - 1)
    guard depth < layers else {
      throw ConfigurationError(
        "learning.depth is \(depth), but model `\(model.name)` has \(layers) blocks: at most \(layers - 1) can follow the first"
      )
    }
    let depths = AuxiliaryDepths(layers: layers, depth: depth, pyramid: pyramid)
    let last = blocks.bodies[depths.modules - 1].lowerBound..<model.layers.count
    return try LocallyTrainedModel(
      model, objective, modules: blocks.bodies[..<(depths.modules - 1)] + [last],
      CopiedBlocks(blocks: blocks, depths: depths))
  }
}

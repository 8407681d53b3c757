import Configuration
import Layers
import Tensors

/// Target projection stochastic gradient descent (tpSGD, 2022): every hidden block moves what it makes towards a random
/// projection of the targets.
///
/// For convolutions the projection is a map, for recurrent layers the same vector at each step, with earlier states as constants.
/// The loss of a hidden block is a sum over its units, and a mean over samples and over the places of an image: with the sum over
/// places, a convolution saturates at any rate at which dense layers learn.  Targets of ±3 with tanh train best: such a target
/// is out of reach, so that the block does not collapse to a point for each class.  ReLU cannot move towards negative targets.
public struct TargetProjectionDescent: LearningRule {
  /// The name in configurations.
  public static let name = "tpsgd"
  /// What it does.
  public static let help = "every hidden block moves towards a random projection of the targets; use with tanh"

  private let count: Int?
  private let signal: TargetSignal
  private let bound: Float
  private let scale: Float

  /// Reads `blocks`, `loss`, `target-bound` and `hidden-scale`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    let loss = try options.choice(
      "loss", of: ["l2", "l1"], default: "l2", "distance of a block's output from its target")
    signal = loss == "l2" ? .squaredDistance : .distance
    bound = Float(
      try options.number("target-bound", default: 3, in: .positive, "random targets are uniform in ± this number"))
    scale = try FeedbackBlocks.readScale(&options)
  }

  /// One matrix a block: [outputs, what the block makes of a sample or step].
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let bound = bound
    let blocks = try FeedbackBlocks(model, count: count, rule: Self.name, sharesTime: true) { _ in bound }
    return TargetTrainedModel(blocks, objective, signal, scale: scale)
  }
}

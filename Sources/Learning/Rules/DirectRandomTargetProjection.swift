import Configuration
import Layers
import Tensors

/// Direct random target projection (Frenkel, Lefebvre, Bol 2021): a random projection of the targets is the gradient of every
/// hidden block, which then waits for nothing but its input.
///
/// The signal enters a block after its nonlinearity, before any pooling.  In the authors' program it is a sum over samples beside
/// a loss that is a mean; here it is a mean over samples too, and `hidden-scale` changes the ratio: `hidden-scale: 100` at batch
/// 100 is theirs.  A recurrent layer gets the same signal at every step, with earlier states as constants.
public struct DirectRandomTargetProjection: LearningRule {
  /// The name in configurations.
  public static let name = "drtp"
  /// What it does.
  public static let help = "the gradient of every hidden block is a random projection of the targets"

  private let count: Int?
  private let scale: Float
  private let frozen: Int

  /// Reads `blocks`, `hidden-scale` and `frozen`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    scale = try FeedbackBlocks.readScale(&options)
    frozen = try options.integer(
      "frozen", default: 0, in: 0...1 << 16,
      "blocks, from the first, that keep their random weights (unless the optimizer decays them)")
  }

  /// One matrix a block: [outputs, what the block makes of a sample].
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try FeedbackBlocks(
      model, count: count, rule: Self.name, sharesTime: true, bound: FeedbackBlocks.kaiming)
    guard frozen <= blocks.hidden.count else {
      throw ConfigurationError(
        "learning.frozen is \(frozen), but \(model.name) has \(blocks.hidden.count) hidden blocks")
    }
    return TargetTrainedModel(blocks, objective, .projection, scale: scale, frozen: frozen)
  }
}

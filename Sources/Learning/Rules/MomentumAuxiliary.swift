import Configuration
import Layers

/// The momentum auxiliary network (Su et al., ECCV 2024): the local loss of DGL or InfoPro sees a block through what the next
/// one begins with: u = bias(x) + teacher(x), both of the architecture of the next block's first layers.  The bias learns; the
/// parameters of the teacher follow those of the next block, and gradients flow through it to the block.
///
/// As in the authors' program: the teacher begins with random weights of its own, follows the parameters from before a step,
/// and normalises by batches, whose running statistics are its own.
public struct MomentumAuxiliary: LearningRule {
  /// The name in configurations.
  public static let name = "man"
  /// What it does.
  public static let help = "local losses that see a block through a slow copy of the next one"

  private let count: Int?
  private let momentum: Double
  private let host: any LocalLossKind

  /// Reads `blocks`, `momentum`, `host` and what belongs to that.
  ///
  /// InfoPro's weights end at 0 in the authors' command, but their program ramps by the three sizes of images instead of by
  /// block, so that they hardly fall: `ramp: stages`, which is the default because the last blocks would learn nothing otherwise.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    momentum = try options.number(
      "momentum", default: 0.995, in: .fraction, "share of itself that the slow copy keeps in a step")
    let isInformed =
      try options.choice("host", of: ["dgl", "infopro"], default: "dgl", "the local loss") == "infopro"
    if isInformed || options.isDocumenting {
      let reconstruction = try LossRamp.read(
        &options, "reconstruction", default: [5, 0], "host infopro: weight of the reconstruction, first and last")
      let prediction = try LossRamp.read(
        &options, "prediction", default: [0.5, 0], "host infopro: weight of the classifier, first and last")
      let ramp = try options.choice(
        "ramp", of: ["stages", "blocks"], default: "stages",
        "host infopro: whether weights move with the size of images, as in the authors' program, or with every block")
      host = InformationLossKind(
        contrast: nil, convolutions: 2, reconstruction: reconstruction, prediction: prediction,
        followsStages: ramp == "stages")
      if options.isDocumenting { _ = try AuxiliaryHead.read(&options, default: .convolutional) }
    } else {
      host = try AuxiliaryHead.read(&options, default: .convolutional)
    }
  }

  /// Two copies and a loss a block but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    return try LocallyTrainedModel(
      model, objective, modules: blocks.modules,
      MomentumLossKind(blocks: blocks, share: Float(1 - momentum), host: host))
  }
}

import Configuration
import Layers

/// Information propagation (Wang, Ni, Song, Yang, Huang, ICLR 2021): every block learns to keep the sample, which a decoder
/// reconstructs, and to tell classes apart, with weights that shift from the one to the other block by block.
public struct InfoPro: LearningRule {
  /// The name in configurations.
  public static let name = "infopro"
  /// What it does.
  public static let help = "every block learns to keep the sample and to tell classes apart"

  private let count: Int?
  private let loss: InformationLossKind

  /// Reads `blocks`, `loss`, `temperature`, `reconstruction` and `prediction`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    let isContrast =
      try options.choice(
        "loss", of: ["softmax", "contrast"], default: "softmax",
        "how classes are told apart: by a classifier, or by drawing samples of a class together") == "contrast"
    let temperature =
      isContrast || options.isDocumenting
      ? try options.number(
        "temperature", default: 0.07, in: .positive, "loss contrast: what similarities are divided by") : 0
    loss = InformationLossKind(
      contrast: isContrast ? Float(temperature) : nil, convolutions: 1,
      reconstruction: try LossRamp.read(
        &options, "reconstruction", default: [5, 0.2], "weight of the reconstruction: in the first and the last block"),
      prediction: try LossRamp.read(
        &options, "prediction", default: [0.05, 0.5], "weight of telling classes apart: in the first and the last block"
      ))
  }

  /// A decoder and a classifier a block but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    return try LocallyTrainedModel(model, objective, modules: blocks.modules, loss)
  }
}

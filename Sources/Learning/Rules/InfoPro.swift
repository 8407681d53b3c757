import Configuration
import Layers
import Tensors

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
    let temperature = try options.number(
      "temperature", default: 0.07, in: .positive, "what similarities are divided by where the loss is contrast")
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

/// A weight that changes from block to block along a line: λ = λa (1 − r) + λb r.
struct LossRamp: Sendable {
  let first: Float
  let last: Float

  /// Reads two numbers.
  static func read(
    _ options: inout Options, _ key: String, default ends: [Double], _ help: String
  ) throws(ConfigurationError) -> LossRamp {
    let ends = try options.numbers(key, default: ends, in: .nonNegative, help)
    try options.require(ends.count == 2, key: key, "\(options.keyPath).\(key) takes two numbers, and has \(ends.count)")
    return LossRamp(first: Float(ends[0]), last: Float(ends[1]))
  }

  /// The weight at a share of the way.
  func weight(_ share: Float) -> Float { first * (1 - share) + last * share }
}

import Configuration
import Layers
import Tensors

/// Counter-current learning (Kao and Hariharan, NeurIPS 2024): a feedback network of its own weights carries the targets down
/// while the model carries the samples up, and each layer is pulled towards what comes the other way.
///
/// With a₀ the samples, a_l = F_l(sg(a_{l−1})) the model and c_{l−1} = elu(G_l(sg(c_l))) the feedback from c_L, all classes one
/// by one (linear where l = 1), the loss is cross-entropy of a_L + Σ ℓ_l(a_l, c_l) for l = 0 … L − 1, where ℓ_l moves F_l and
/// G_{l+1} alone:
/// - models of linear layers: scale · 256 / n_l · MSE(a_l c_lᵀ, Y), for n_l features;
/// - models with convolutions, for rows of length 1: scale · MSE(â ĉᵀ, Y) + ½ MSE(â âᵀ, I) + ½ MSE(ĉ ĉᵀ, I);
/// - values as targets, such as an autoencoder's: c_L are the targets, and ℓ_l = scale · MSE(a_l, c_l) · height of the images.
///
/// Choices and deviations: the model's activations and biases are used as they are (the authors have elu, and no bias in linear
/// networks); feedback layers have no bias; â âᵀ is over the samples of a shard; a feedback convolution sees its images
/// brought to the extents of what the mirrored layer saw, by copies of pixels, whatever pooling or stride made them smaller;
/// `training.clip` limits the gradient of each network by itself.  The samples' own part of â âᵀ, a constant, is left out.
public struct CounterCurrent: LearningRule {
  /// The name in configurations.
  public static let name = "counter-current"
  /// What it does.
  public static let help = "a feedback network carries targets down, and every layer meets what comes the other way"

  private let scale: Double?
  private let filter: Double?

  /// Reads `scale` and `filter`.
  public init(options: inout Options) throws(ConfigurationError) {
    scale = try options.optionalNumber(
      "scale", in: .positive, "what local losses count; without it 0.5, and 1 for models with convolutions")
    filter = try options.optionalNumber(
      "filter", in: .open01,
      "samples to whose class the model gives a greater probability, such as 0.9, take no part in local losses; without it all do"
    )
  }

  /// Declares a feedback layer for each layer of weights.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    var scope = ParameterScope(after: model.layout)
    let layers = try MirroredLayer.mirror(model, in: &scope)
    let comparison = try comparison(model, objective)
    let hasConvolutions = model.layers.contains { $0.layer is ConvolutionLayer }
    return CounterCurrentModel(
      model: model.extended(scope.layout), objective: objective, layers: layers, comparison: comparison,
      scale: Float(scale ?? (hasConvolutions ? 1 : 0.5)), filter: filter,
      forwardParameters: model.layout.parameterCount)
  }

  private func comparison(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> CounterComparison {
    switch objective.loss {
    case .meanSquaredError:
      guard filter == nil else {
        throw ConfigurationError("learning.filter is about classes, and the targets are values; leave it out")
      }
      return .distances
    case .binaryCrossEntropy:
      throw ConfigurationError(
        "rule \(CounterCurrent.name) brings targets closer by distances, not by training.loss: binary-cross-entropy; choose "
          + "mean-squared-error")
    case .crossEntropy:
      try Classes.require(model, objective, for: CounterCurrent.name)
      return model.layers.contains { $0.layer is ConvolutionLayer } ? .cosines : .products
    }
  }
}

import Configuration
import Layers
import Tensors

/// Gradient-boosted neural networks (Emami and Martínez-Muñoz, GB-NN, 2023): a network of one hidden layer grows by a few units
/// a round, each fitted by L-BFGS to what those before leave over, and all are units of one model in the end.
///
/// For models `[flatten,] linear N, sigmoid, linear C` with biases.  A round is a step of training: there are N / `units` of
/// them, and `training.batch` is the subsample, drawn anew each round without replacement, that its units are fitted to; how far
/// they count is decided on the whole training set.  The optimizer, clipping and accumulation have no meaning.
///
/// Choices: units begin uniform in ±√(2 / (inputs + outputs)) and are fitted without weight decay; data are read as they are
/// without augmentation; with two classes F is one number, and the model's outputs are (−F, F); the outputs of the model are those
/// of the ensemble after rounding to Float32, and what the next round is fitted to are these.
public struct GradientBoosted: LearningRule {
  /// The name in configurations.
  public static let name = "gradient-boosted"
  /// What it does.
  public static let help = "the units of one hidden layer in rounds, each fitted by L-BFGS to what is left over"

  private let units: Int
  private let shrinkage: Double
  private let iterations: Int

  /// Reads `units`, `shrinkage` and `iterations`.
  public init(options: inout Options) throws(ConfigurationError) {
    units = try options.integer("units", default: 1, in: 1...1 << 16, unit: "units", "hidden units of a round")
    shrinkage = try options.number("shrinkage", default: 1, in: .positiveFraction, "how far each round counts")
    iterations = try options.integer(
      "iterations", default: 200, in: 1...1 << 20, unit: "iterations", "iterations of L-BFGS in a round, at most")
  }

  /// Takes the model as it is.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let layers = model.layers.drop { $0.layer is Flatten }.map(\.layer)
    guard layers.count == 3, let hidden = layers[0] as? LinearLayer, let hiddenBias = hidden.bias,
      layers[1].kind == Activation.sigmoid.rawValue, let output = layers[2] as? LinearLayer,
      let outputBias = output.bias, output.output.shape.rank == 1, model.input.vocabulary == nil
    else {
      throw ConfigurationError(
        "rule gradient-boosted trains models of [flatten,] linear, sigmoid, linear, with biases; \(model.name) has "
          + model.layers.map { "\($0.name): \($0.layer.kind)" }.joined(separator: ", "))
    }
    let count = hidden.output.shape.count
    guard count.isMultiple(of: units) else {
      throw ConfigurationError(
        "learning.units is \(units), which does not divide the \(count) hidden units of \(model.name)")
    }
    guard let loss = BoostingLoss(objective, outputs: output.output.shape.count) else {
      throw ConfigurationError(
        "rule gradient-boosted makes squared errors of values, or cross-entropy of one class a sample without smoothing, smaller; "
          + "not \(objective.loss.rawValue) of \(Signal(objective.target))")
    }
    let network = BoostedNetwork(
      input: model.input, hidden: (hidden.weight, hiddenBias), output: (output.weight, outputBias), loss: loss,
      round: BoostedUnits(inputs: model.input.shape.count, units: units, outputs: loss.outputs),
      rounds: count / units, shrinkage: shrinkage, optimiser: LimitedMemoryBFGS(iterations: iterations))
    return BoostedModel(model: model, objective: objective, boosting: network)
  }
}

/// A model that is trained by boosting.
struct BoostedModel: ModelLearning {
  let model: Model
  let objective: Objective
  let boosting: BoostedNetwork?

  /// The model's own gradient, which boosting does not follow; memory is planned by it.
  func record(_ recorder: Recorder, phase: Int) {
    BackpropagatedModel(model: model, objective: objective).record(recorder, phase: phase)
  }
}

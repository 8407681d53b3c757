import Configuration
import Datasets
import Layers
import Learning
import Tensors

/// A model built for its data, with its loss and what it is computed with: what every kind of training begins with.
struct PreparedModel {
  let dataset: Dataset
  /// The layers as the configuration has them.
  let plain: Model
  /// How a batch becomes gradients of the model.
  let learning: any ModelLearning
  let compute: Compute
  /// The model's keys, defaults filled in.
  let resolved: Node

  /// Loads the data, unless some are given, and builds the model.  `isClassifier` says whether its outputs are to be those that
  /// the loss needs.
  init(
    _ configuration: ModelConfiguration, _ data: DataOptions, dataset given: Dataset?, seed: UInt64,
    loss wanted: Objective.Loss?, smoothing: Double, _ rule: LearningConfiguration, _ options: ComputeOptions,
    recomputes: Bool,
    isClassifier: Bool = true
  ) throws {
    compute = Compute(
      backend: Compute.Backend(rawValue: options.backend) ?? .onednn,
      precision: Compute.Precision(rawValue: options.precision) ?? .float32, recomputes: recomputes)
    try compute.check()
    dataset = try given ?? data.load(seed: seed)
    let source = dataset.training
    let input =
      switch source.inputType {
      case .float32: Signal(source.inputShape, graph: source.graph)
      case .tokens(let vocabulary): Signal(tokens: source.inputShape, vocabulary: vocabulary)
      }
    let outputs = source.classCount ?? source.targetShape.count
    let built = try configuration.build(input: input, classes: outputs)
    let model = built.model
    plain = model
    resolved = built.resolved
    let isClasses = source.classCount != nil
    let loss = wanted ?? (isClasses ? .crossEntropy : .meanSquaredError)
    guard isClasses == (loss == .crossEntropy) else {
      throw ConfigurationError(
        "training.loss is \(loss.rawValue), but \(dataset.name) has \(isClasses ? "classes" : "values") as targets")
    }
    let objective = Objective(loss, smoothing: Float(smoothing), target: source.targetShape)
    if isClassifier {
      let expected = isClasses ? Shape(source.targetShape.dimensions + [outputs]) : source.targetShape
      guard model.output.shape.count == expected.count, model.output.shape[-1] == expected[-1] else {
        let last = model.name == "layers" ? "model.layers.\(model.layers.count - 1)" : "the last layer"
        throw ConfigurationError(
          "the model makes \(model.output) numbers a sample, but \(dataset.name) needs \(Signal(expected)) "
            + "(\(isClasses ? "\(outputs) classes" : "values")); change \(last)")
      }
    }
    guard model.layout.parameterCount > 0 else {
      throw ConfigurationError(
        "the model has no parameters to train; add a layer that has, such as {linear: \(outputs)}")
    }
    try MachineMemory.require(
      Double(model.layout.parameterCount) * 4, for: "\(model.name) (\(model.layout.parameterCount) parameters)",
      "make the model smaller")
    learning = try rule.prepare(model, objective, source)
  }
}

import Configuration
import Layers
import Tensors

/// The gradient of one loss at the end, through the whole model.
public struct Backpropagation: LearningRule {
  /// The name in configurations.
  public static let name = "backpropagation"
  /// What it does.
  public static let help = "the gradient of one loss through the whole model"

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// For use without a configuration.
  public init() {}

  /// Trains every model.
  public func prepare(_ model: Model, _ objective: Objective) -> any ModelLearning {
    BackpropagatedModel(model: model, objective: objective)
  }
}

/// A model that is trained by backpropagation.
struct BackpropagatedModel: ModelLearning {
  let model: Model
  let objective: Objective
  var followsOneLoss: Bool { true }

  /// Forward, loss, backward.
  func record(_ recorder: Recorder, phase: Int) {
    let outputs = model.record(model.recordInput(recorder), recorder)
    let loss = objective.record(outputs, recorder)
    recorder.fuse()
    recorder.differentiate([loss])
  }
}

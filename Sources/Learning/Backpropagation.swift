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

  /// Forward, loss, backward.
  public func record(_ model: Model, _ objective: Objective, _ recorder: Recorder) {
    let outputs = model.record(model.recordInput(recorder), recorder)
    let loss = objective.record(outputs, recorder)
    recorder.fuse()
    recorder.differentiate([loss])
  }
}

import Configuration
import Layers
import Tensors

/// Feedback alignment (Lillicrap, Cownden, Tweed, Akerman 2016): backpropagation through fixed random weights.
///
/// Every product of a linear, convolutional or recurrent layer sends the gradient of its input back through a matrix of its
/// weight's shape, drawn as the weight was; gradients of weights, biases, normalisations and everything without weights are as
/// in backpropagation.
public struct FeedbackAlignment: LearningRule {
  /// The name in configurations.
  public static let name = "feedback-alignment"
  /// What it does.
  public static let help = "backpropagation whose gradients flow back through fixed random weights"

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// One random state for each weight that gradients flow back through; a model without any learns as by backpropagation.
  public func prepare(_ model: Model, _ objective: Objective) -> any ModelLearning {
    let probe = Recorder(batch: 1, mode: .training, layout: model.layout, compute: Compute())
    BackpropagatedModel(model: model, objective: objective).record(probe, phase: 0)
    var scope = ParameterScope(after: model.layout)
    var feedback: [Parameter: ModelState] = [:]
    for weight in probe.returningWeights {
      feedback[weight] = scope.nested("auxiliary.feedback") {
        $0.state(weight.name, weight.shape, weight.initialiser, .fixed)
      }
    }
    return FeedbackAlignedModel(model: model.extended(scope.layout), objective: objective, feedback: feedback)
  }
}

/// A model whose gradients flow back through fixed random weights.
struct FeedbackAlignedModel: ModelLearning {
  let model: Model
  let objective: Objective
  let feedback: [Parameter: ModelState]

  /// As backpropagation, with other weights on the way back.
  func record(_ recorder: Recorder, phase: Int) {
    recorder.feedback = feedback
    BackpropagatedModel(model: model, objective: objective).record(recorder, phase: phase)
  }
}

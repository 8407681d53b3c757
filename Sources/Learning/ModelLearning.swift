import Layers
import Tensors

/// A learning rule made for a model: what it records decides what is computed, kept and freed.
public protocol ModelLearning: Sendable {
  /// The network; its layout holds the rule's own parameters and states too, declared after those of the layers.
  var model: Model { get }
  /// The loss that is reported.
  var objective: Objective { get }

  /// Whether the gradients are those of the reported loss through the whole model.
  var followsOneLoss: Bool { get }

  /// Phases of equal length that training consists of; in each, only the parameters move that its program reaches.
  var phases: Int { get }

  /// Files whose tensors are the states under a scope, where these are not drawn.
  var givenStates: [(file: String, scope: String)] { get }

  /// Parts of the parameters, one after the other, the gradients of each of which `training.clip` limits by itself.
  var clippedParts: [Range<Int>] { get }

  /// How the units of the model are grown, for a rule that fits them in rounds and follows no gradient from step to step.
  var boosting: BoostedNetwork? { get }

  /// Records forward pass, losses and gradients of one shard in a phase.  Metric 0 is the sum of the reported loss over the
  /// samples; metric 1, for classes, the number of correct ones.
  func record(_ recorder: Recorder, phase: Int)

  /// Records what the trained model makes of a batch, as the objective takes it: the model's outputs, unless the rule has
  /// another way to predict.
  func recordOutputs(_ recorder: Recorder) -> Value
}

extension ModelLearning {
  /// Losses of its own.
  public var followsOneLoss: Bool { false }

  /// None.
  public var givenStates: [(file: String, scope: String)] { [] }

  /// One phase.
  public var phases: Int { 1 }

  /// Whether the shards of a batch meet within a step, as synchronised batch normalisation makes them.
  public var meets: Bool {
    let recorder = Recorder(batch: 2, mode: .training, layout: model.layout, compute: Compute())
    record(recorder, phase: 0)
    return recorder.meets
  }

  /// Parameters follow gradients.
  public var boosting: BoostedNetwork? { nil }

  /// All together.
  public var clippedParts: [Range<Int>] { [0..<model.layout.parameterCount] }

  /// The outputs of the model's last layer.
  public func recordOutputs(_ recorder: Recorder) -> Value {
    model.record(model.recordInput(recorder), recorder)
  }
}

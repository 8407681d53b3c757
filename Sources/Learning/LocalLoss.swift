import Configuration
import Layers
import Tensors

/// What a block is trained towards by itself.
protocol LocalLoss: Sendable {
  /// Records the losses of what a block has made of the batch; their sum is minimised.
  func record(_ made: Value, _ recorder: Recorder) -> [Value]
}

/// Where a local loss belongs.
struct LocalPlace {
  let model: Model
  let objective: Objective
  /// What the loss is of.
  let signal: Signal
  /// The block, and how many there are with the last, which has no local loss.
  let block: Int
  let count: Int
  /// What the names of all that is declared begin with.
  let name: String

  /// Whether each position of a sequence has a class of its own.
  var predictsPositions: Bool { objective.loss == .crossEntropy && model.output.shape.rank > 1 }
  /// Numbers that a classifier makes of a sample, or of a position where each has a class: a score a class, or all values.
  var outputs: Int { objective.loss == .crossEntropy ? model.output.shape[-1] : model.output.shape.count }
}

/// A kind of local loss, which is made for each block.
protocol LocalLossKind: Sendable {
  /// Declares what the loss of a block owns, in the scope of its name.
  func make(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> any LocalLoss
}

/// The model's own objective, through a small network of the block's own that is dropped after training.
struct HeadLoss: LocalLoss {
  /// The small network.
  let head: Sequential
  /// The scope of its parameters.
  let scope: String
  let objective: Objective

  func record(_ made: Value, _ recorder: Recorder) -> [Value] {
    [objective.record(recorder.scope(scope) { head.record(made, recorder) }, recorder)]
  }
}

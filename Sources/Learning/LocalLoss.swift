import Layers
import Tensors

/// What a block is trained towards by itself.
protocol LocalLoss: Sendable {
  /// Records the losses of what a block has made of the batch; their sum is minimised.
  func record(_ made: Value, _ recorder: Recorder) -> [Value]
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

import Tensors

/// The layout of a gradient block: gradients, statistics that move the model's states, and a tail of sums that ride along.
///
/// The tail makes the loss, the count of correct samples, the wish to stop and how it stands with checkpoints known to all
/// ranks without a message more.
struct GradientBlock {
  /// Scalars of the block.
  let count: Int
  /// Mean loss of the step.
  let loss: Int
  /// Correct samples of the step.
  let correct: Int
  /// Above zero once any rank was asked to stop.
  let stop: Int
  /// Above zero while any rank writes a checkpoint.
  let busy: Int
  /// Above zero once the clock says that a checkpoint is due.
  let due: Int

  init(_ layout: ParameterLayout) {
    loss = layout.gradientCount
    correct = loss + 1
    stop = loss + 2
    busy = loss + 3
    due = loss + 4
    count = loss + 5
  }

  /// A block of zeros.
  func make() -> Storage { Storage(zeros: count) }
}

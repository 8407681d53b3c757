import Tensors

/// The layout of a gradient block: gradients, statistics that move the model's states, and a tail of sums that ride along.
///
/// The tail makes the loss, the count of correct samples and the wish to stop known to all ranks without a message more.
struct GradientBlock {
  /// Scalars of the block.
  let count: Int
  /// Mean loss of the step.
  let loss: Int
  /// Correct samples of the step.
  let correct: Int
  /// Above zero once any rank was asked to stop.
  let stop: Int

  init(_ layout: ParameterLayout) {
    loss = layout.gradientCount
    correct = loss + 1
    stop = loss + 2
    count = loss + 3
  }

  /// A block of zeros.
  func make() -> Storage { Storage(zeros: count) }
}

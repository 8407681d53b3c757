import Optimizers
import Tensors

/// A step of a client's training, after the gradients of a batch are there.
public struct LocalStep {
  /// The model that is trained.
  public let model: ParameterStore
  /// The mean gradient of the batch.
  public let gradients: UnsafeMutablePointer<Float>
  /// Scalars of the parameter block.
  public let count: Int
  /// Its learning rate.
  public let learningRate: Double
  /// Steps of the visit before it.
  public let index: Int

  /// The model's parameters.
  public var parameters: UnsafeMutablePointer<Float> { model.parameters.base }

  /// Scales gradients down to a norm, where there is a limit and theirs is larger.
  func clip(to limit: Double?) {
    guard let limit else { return }
    let norm = Reductions.squares(gradients, count).squareRoot()
    if norm > limit { VectorMath.scale(gradients, by: Float(limit / norm), count: count) }
  }
}

/// How a client's parameters move in a step.
public protocol LocalUpdate {
  /// Moves them.
  mutating func update(_ step: LocalStep)
}

/// What a strategy adds to a client's gradients.
public protocol GradientCorrection {
  /// gradients ← corrected gradients.
  func correct(_ step: LocalStep)
}

/// Gradients as they are.
public struct NoCorrection: GradientCorrection {
  /// Nothing to correct.
  public init() {}

  /// Does nothing.
  public func correct(_ step: LocalStep) {}
}

/// The task's optimizer, from zero momentum on, over corrected gradients.
public struct OptimizerUpdate<Correction: GradientCorrection>: LocalUpdate {
  private let optimizer: Optimizer
  private let clip: Double?
  private let correction: Correction

  /// The optimizer of a trainer, which forgets what it remembered.
  public init(_ trainer: LocalTrainer, _ correction: Correction) {
    optimizer = trainer.optimizer
    clip = trainer.task.local.clip
    self.correction = correction
    optimizer.reset()
  }

  /// Clips, corrects, and moves the parameters.  Clipping is of the batch's own gradient, before the correction.
  public mutating func update(_ step: LocalStep) {
    step.clip(to: clip)
    correction.correct(step)
    let all = 0..<step.count
    optimizer.measure(parameters: step.parameters, gradients: step.gradients, range: all, step: step.index)
    optimizer.update(
      parameters: step.parameters, gradients: step.gradients, range: all, step: step.index,
      learningRate: step.learningRate)
  }
}

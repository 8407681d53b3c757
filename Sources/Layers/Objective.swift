import Configuration
import Tensors

/// What a model is trained towards: the loss between its outputs and the targets of a batch.
public struct Objective: Sendable {
  /// The losses there are.
  public enum Loss: String, CaseIterable, Sendable {
    case crossEntropy = "cross-entropy"
    case binaryCrossEntropy = "binary-cross-entropy"
    case meanSquaredError = "mean-squared-error"
  }

  /// The loss.
  public let loss: Loss
  /// Share of each target that is spread over all classes.
  public let smoothing: Float
  /// Shape of one sample's target: `[]` or `[time]` for classes, `[k]` for values.
  public let target: Shape

  /// A loss for targets of a shape.
  public init(_ loss: Loss, smoothing: Float = 0, target: Shape) {
    self.loss = loss
    self.smoothing = smoothing
    self.target = target
  }

  /// Targets of a sample, also such that have no class: one, or one a position or value.
  public var targetsPerSample: Int { max(1, target.count) }

  /// Records the targets of the batch: Int32 classes, or Float32 values.
  public func recordTargets(_ recorder: Recorder) -> Value {
    recorder.target(target, loss == .crossEntropy ? .int32 : .float32)
  }

  /// Records the targets of the batch and the loss of `outputs`, whose gradient is scaled by `weight`.  Metric 0 is the sum of
  /// all terms; for classes metric 1 counts correct ones.
  public func record(_ outputs: Value, _ recorder: Recorder, weight: Float = 1) -> Value {
    let targets = recordTargets(recorder)
    return switch loss {
    case .crossEntropy: recorder.softmaxCrossEntropy(outputs, targets, smoothing: smoothing, weight: weight)
    case .binaryCrossEntropy: recorder.binaryCrossEntropy(outputs, targets, weight: weight)
    case .meanSquaredError: recorder.meanSquaredError(outputs, targets, weight: weight)
    }
  }
}

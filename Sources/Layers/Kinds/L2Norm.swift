import Configuration
import Tensors

/// Scales each row, or each sample that is one, to length 1: x / max(‖x‖₂, ε) over the last axis.
public struct L2Norm: Layer {
  /// The input's shape.
  public let output: Signal
  let epsilon: Float

  /// Rows no longer than `epsilon` are divided by it.
  public init(_ input: Signal, epsilon: Float = 1e-12) {
    output = input
    self.epsilon = epsilon
  }

  /// One pass over the rows.
  public func record(_ x: Value, _ recorder: Recorder) -> Value { recorder.l2Normalise(x, epsilon: epsilon) }

  /// Of any input.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try input.requireNumbers(for: "l2-norm")
    return L2Norm(input, epsilon: epsilon)
  }

  static let kind = LayerKind("l2-norm", "Scales the last axis of each sample to length 1.") {
    (options, input, _) throws(ConfigurationError) in
    try input.requireNumbers(for: "l2-norm")
    let epsilon = try options.number(
      "epsilon", default: 1e-12, in: .between(1e-30, 1e30), "the least length that is divided by")
    return L2Norm(input, epsilon: Float(epsilon))
  }
}

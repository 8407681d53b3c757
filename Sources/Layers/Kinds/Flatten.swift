import Configuration
import Tensors

/// One row a sample; images in the order channel, height, width, so that weights are PyTorch's.
public struct Flatten: Layer {
  /// One axis.
  public let output: Signal

  /// Flattens an input of any shape.
  public init(_ input: Signal) { output = Signal([input.shape.count]) }

  /// Moves nothing where there is one channel or one pixel.
  public func record(_ x: Value, _ recorder: Recorder) -> Value { recorder.flatten(x) }

  /// Rows of any input.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try input.requireNumbers(for: "flatten")
    return Flatten(input)
  }

  static let kind = LayerKind("flatten", "One row a sample; images channel by channel.") {
    (_, input, _) throws(ConfigurationError) in
    try input.requireNumbers(for: "flatten")
    return Flatten(input)
  }
}

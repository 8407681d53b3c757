import Configuration
import Tensors

/// Images as sequences of their rows: `[height, width, channels] → [height, width · channels]`.
public struct ImageRows: Layer {
  /// A step for each row.
  public let output: Signal

  /// Takes the rows of images.  Throws for anything else.
  public init(_ input: Signal) throws(ConfigurationError) {
    let image = try input.requireImages(for: "rows")
    output = Signal([image.height, image.width * image.channels])
  }

  /// Moves nothing.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.reshape(x, output.shape.batched(recorder.shape(x)[0]))
  }

  /// Of other images.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try ImageRows(input)
  }

  static let kind = LayerKind("rows", "Images as sequences of their rows, for layers over time.") {
    (_, input, _) throws(ConfigurationError) in try ImageRows(input)
  }
}

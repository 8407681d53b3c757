import Configuration
import Tensors

/// Larger images, each pixel a copy of the nearest one: `[h, w, c] → [h', w', c]`.
public struct Upsample: Layer {
  /// Images of other extents.
  public let output: Signal

  /// Throws where the input holds no images.
  public init(_ input: Signal, height: Int, width: Int) throws(ConfigurationError) {
    output = Signal([height, width, try input.requireImages(for: "upsample").channels])
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.nearestResize(x, height: output.shape[0], width: output.shape[1])
  }

  /// To the extents that it has here.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try Upsample(input, height: output.shape[0], width: output.shape[1])
  }

  static let kind = LayerKind("upsample", shorthand: "factor", "Larger images, each pixel a copy of the nearest one.") {
    (options, input, _) throws(ConfigurationError) in
    let factor = try options.integer("factor", default: 2, in: 1...64, "times each extent grows")
    let image = try input.requireImages(for: "upsample")
    return try Upsample(input, height: image.height * factor, width: image.width * factor)
  }
}

/// One row a sample, as an array of a shape; moves nothing, so that pixels come channels last.
public struct Unflatten: Layer {
  /// The shape.
  public let output: Signal

  /// Precondition: as many scalars as the input has.
  public init(_ input: Signal, to output: Signal) {
    precondition(input.shape.count == output.shape.count, "\(input) as \(output)")
    self.output = output
  }

  /// Costs nothing.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.reshape(x, output.shape.batched(recorder.shape(x)[0]))
  }
}

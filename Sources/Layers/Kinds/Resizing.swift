import Configuration
import Tensors

/// Images of another size by bilinear interpolation: `[h, w, c] → [height, width, c]`.
public struct BilinearResize: Layer {
  /// Images of the size wanted.
  public let output: Signal

  /// Throws where the input holds no images.
  public init(_ input: Signal, height: Int, width: Int) throws(ConfigurationError) {
    output = Signal([height, width, try input.requireImages(for: "bilinear-resize").channels])
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.bilinearResize(x, height: output.shape[0], width: output.shape[1])
  }

  /// The same size of any images.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try BilinearResize(input, height: output.shape[0], width: output.shape[1])
  }

  static let kind = LayerKind("bilinear-resize", "Images of another size by bilinear interpolation.") {
    (options, input, _) throws(ConfigurationError) in
    let height = try options.integer("height", in: 1...1 << 16, unit: "pixels", "rows of the result")
    let width = try options.integer("width", in: 1...1 << 16, unit: "pixels", "columns of the result")
    return try BilinearResize(input, height: height, width: width)
  }
}

/// The mean of each cell of a grid, per channel: `[h, w, c] → [rows, columns, c]` whatever the extents are.
public struct AdaptiveAveragePool: Layer {
  /// One pixel a cell.
  public let output: Signal

  /// Throws where the input holds no images.
  public init(_ input: Signal, rows: Int, columns: Int) throws(ConfigurationError) {
    output = Signal([rows, columns, try input.requireImages(for: "adaptive-average-pool").channels])
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.adaptivePool(x, rows: output.shape[0], columns: output.shape[1])
  }

  /// The same grid over any images.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try AdaptiveAveragePool(input, rows: output.shape[0], columns: output.shape[1])
  }

  static let kind = LayerKind("adaptive-average-pool", "The mean of each cell of a grid over the image, per channel.") {
    (options, input, _) throws(ConfigurationError) in
    let rows = try options.integer("rows", in: 1...1 << 16, unit: "cells", "cells from top to bottom")
    let columns = try options.integer("columns", in: 1...1 << 16, unit: "cells", "cells from left to right")
    return try AdaptiveAveragePool(input, rows: rows, columns: columns)
  }
}

import Configuration
import Tensors

/// The largest of each window, per channel.
public struct MaxPool: Layer {
  /// Smaller images.
  public let output: Signal
  package let window: Window

  /// Throws where the window does not fit its input.
  public init(_ input: Signal, _ window: Window) throws(ConfigurationError) {
    output = try pooled(input, window, "max-pool")
    self.window = window
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.maxPool(x, kernel: window.kernel, stride: window.stride, padding: window.padding)
  }

  /// The same window, unless a stride takes its place.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    stride == nil ? try MaxPool(input, window) : Sequential([], input: input)
  }

  static let kind = LayerKind("max-pool", shorthand: "kernel", "The largest value of each window, per channel.") {
    (options, input, _) throws(ConfigurationError) in
    try MaxPool(input, try readWindow(&options))
  }
}

/// The mean of each window, per channel.
public struct AveragePool: Layer {
  /// Smaller images.
  public let output: Signal
  package let window: Window
  package let countsPadding: Bool

  /// Throws where the window does not fit its input.
  public init(
    _ input: Signal, _ window: Window, countsPadding: Bool
  ) throws(ConfigurationError) {
    output = try pooled(input, window, "average-pool")
    self.window = window
    self.countsPadding = countsPadding
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.averagePool(
      x, kernel: window.kernel, stride: window.stride, padding: window.padding, countsPadding: countsPadding)
  }

  /// The same window, unless a stride takes its place.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    stride == nil
      ? try AveragePool(input, window, countsPadding: countsPadding) : Sequential([], input: input)
  }

  static let kind = LayerKind("average-pool", shorthand: "kernel", "The mean of each window, per channel.") {
    (options, input, _) throws(ConfigurationError) in
    let window = try readWindow(&options)
    let counts = try options.flag("count-padding", default: true, "whether padding counts in the mean")
    return try AveragePool(input, window, countsPadding: counts)
  }
}

/// The mean over all pixels: `[h, w, c] → [c]`.
public struct GlobalAveragePool: Layer {
  /// One number a channel.
  public let output: Signal

  /// Throws where the input holds no images.
  public init(_ input: Signal) throws(ConfigurationError) {
    output = Signal([try input.requireImages(for: "global-average-pool").channels])
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value { recorder.globalAveragePool(x) }

  /// Of any images.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try GlobalAveragePool(input)
  }

  static let kind = LayerKind("global-average-pool", "The mean of each channel over all pixels.") {
    (_, input, _) throws(ConfigurationError) in try GlobalAveragePool(input)
  }
}

private func readWindow(_ options: inout Options) throws(ConfigurationError) -> Window {
  let kernel = try options.integer("kernel", in: 1...1024, unit: "pixels", "height and width of the window")
  let stride = try options.optionalInteger(
    "stride", in: 1...1024, unit: "pixels", "step between windows; the window's size where not given")
  let padding = try options.integer("padding", default: 0, in: 0...512, unit: "pixels", "border around the image")
  try options.require(padding <= kernel / 2, key: "padding", "padding \(padding) is more than half of window \(kernel)")
  return Window(kernel: kernel, stride: stride ?? kernel, padding: padding)
}

private func pooled(
  _ input: Signal, _ window: Window, _ layer: String
) throws(ConfigurationError) -> Signal {
  let image = try input.requireImages(for: layer)
  let (height, width) = (window.positions(along: image.height), window.positions(along: image.width))
  guard height > 0, width > 0 else {
    throw ConfigurationError(
      "\(layer): window \(window.kernel) is larger than its input \(image.height)×\(image.width) with padding \(window.padding)"
    )
  }
  return Signal([height, width, image.channels])
}

import Configuration
import Tensors

/// A two-dimensional convolution of channels-last images: `[h, w, c] → [h', w', channels]`,
/// h' = ⌊(h + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.
public struct ConvolutionLayer: Layer {
  /// `[channels, inputs / groups, kernel, kernel]`, uniform in ±1/√(inputs of a unit).
  public let weight: Parameter
  /// `[channels]`.
  public let bias: Parameter?
  /// Images with `channels` channels.
  public let output: Signal
  package let window: Window
  package let groups: Int

  /// Declares `weight`, and `bias` where wanted.  Throws where kernel, groups and input do not fit.
  public init(
    _ input: Signal, channels: Int, _ window: Window, groups: Int = 1, bias hasBias: Bool,
    in scope: inout ParameterScope
  ) throws(ConfigurationError) {
    let image = try input.requireImages(for: "convolution")
    let (height, width) = (window.positions(along: image.height), window.positions(along: image.width))
    guard height > 0, width > 0 else {
      throw ConfigurationError(
        "convolution: kernel \(window.kernel) (dilation \(window.dilation)) is larger than its input "
          + "\(image.height)×\(image.width) with padding \(window.padding)")
    }
    guard image.channels % groups == 0, channels % groups == 0 else {
      throw ConfigurationError(
        "convolution: \(groups) groups divide neither \(image.channels) input channels nor \(channels) output channels evenly"
      )
    }
    let fanIn = image.channels / groups * window.kernel * window.kernel
    weight = scope.parameter(
      "weight", [channels, image.channels / groups, window.kernel, window.kernel], .inputs(fanIn))
    bias = hasBias ? scope.parameter("bias", [channels], .inputs(fanIn)) : nil
    output = Signal([height, width, channels])
    self.window = window
    self.groups = groups
  }

  /// One convolution.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.convolution(
      x, recorder.parameter(weight), bias: bias.map(recorder.parameter), stride: window.stride,
      padding: window.padding, dilation: window.dilation, groups: groups)
  }

  /// As many channels by the same kernel, at another stride where given.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    let window = Window(
      kernel: window.kernel, stride: stride ?? window.stride, padding: window.padding, dilation: window.dilation)
    return try ConvolutionLayer(
      input, channels: output.shape[-1], window, groups: groups, bias: bias != nil, in: &scope)
  }

  static let kind = LayerKind("convolution", "A two-dimensional convolution of images.") {
    (options, input, scope) throws(ConfigurationError) in
    let channels = try options.integer("channels", in: 1...1 << 20, unit: "channels", "output channels")
    let window = Window(
      kernel: try options.integer("kernel", default: 3, in: 1...1024, unit: "pixels", "height and width of the kernel"),
      stride: try options.integer("stride", default: 1, in: 1...1024, unit: "pixels", "step between positions"),
      padding: try options.integer("padding", default: 0, in: 0...1024, unit: "pixels", "zeros around the image"),
      dilation: try options.integer(
        "dilation", default: 1, in: 1...1024, unit: "pixels", "distance of the kernel's taps"))
    let groups = try options.integer(
      "groups", default: 1, in: 1...1 << 20, "parts of the channels that are convolved on their own")
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    return try ConvolutionLayer(input, channels: channels, window, groups: groups, bias: bias, in: &scope)
  }
}

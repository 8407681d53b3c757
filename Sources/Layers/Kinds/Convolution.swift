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
  let geometry: Geometry

  /// What a kernel covers and how it moves, alike in both directions.
  public struct Geometry: Hashable, Sendable {
    /// Height and width of the kernel.
    public var kernel: Int
    /// Pixels from one position to the next.
    public var stride = 1
    /// Zeros around the image.
    public var padding = 0
    /// Pixels between the taps of the kernel.
    public var dilation = 1
    /// Parts that channels are cut into; as many as channels for a depthwise convolution.
    public var groups = 1

    /// A kernel; see the properties.
    public init(kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1) {
      self.kernel = kernel
      self.stride = stride
      self.padding = padding
      self.dilation = dilation
      self.groups = groups
    }

    /// Positions along an axis of `extent` pixels; 0 where the kernel does not fit.
    public func positions(_ extent: Int) -> Int {
      let span = extent + 2 * padding - dilation * (kernel - 1) - 1
      return span < 0 ? 0 : span / stride + 1
    }
  }

  /// Declares `weight`, and `bias` where wanted.  Throws where kernel, groups and input do not fit.
  public init(
    _ input: Signal, channels: Int, _ geometry: Geometry, bias hasBias: Bool, in scope: inout ParameterScope
  ) throws(ConfigurationError) {
    let image = try input.requireImages(for: "convolution")
    let (height, width) = (geometry.positions(image.height), geometry.positions(image.width))
    guard height > 0, width > 0 else {
      throw ConfigurationError(
        "convolution: kernel \(geometry.kernel) (dilation \(geometry.dilation)) is larger than its input "
          + "\(image.height)×\(image.width) with padding \(geometry.padding)")
    }
    guard image.channels % geometry.groups == 0, channels % geometry.groups == 0 else {
      throw ConfigurationError(
        "convolution: \(geometry.groups) groups divide neither \(image.channels) input channels nor \(channels) output channels evenly"
      )
    }
    let fanIn = image.channels / geometry.groups * geometry.kernel * geometry.kernel
    weight = scope.parameter(
      "weight", [channels, image.channels / geometry.groups, geometry.kernel, geometry.kernel], .inputs(fanIn))
    bias = hasBias ? scope.parameter("bias", [channels], .inputs(fanIn)) : nil
    output = Signal([height, width, channels])
    self.geometry = geometry
  }

  /// One convolution.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.convolution(
      x, recorder.parameter(weight), bias: bias.map(recorder.parameter), stride: geometry.stride,
      padding: geometry.padding, dilation: geometry.dilation, groups: geometry.groups)
  }

  static let kind = LayerKind("convolution", "A two-dimensional convolution of images.") {
    (options, input, scope) throws(ConfigurationError) in
    let channels = try options.integer("channels", in: 1...1 << 20, unit: "channels", "output channels")
    let geometry = Geometry(
      kernel: try options.integer("kernel", default: 3, in: 1...1024, unit: "pixels", "height and width of the kernel"),
      stride: try options.integer("stride", default: 1, in: 1...1024, unit: "pixels", "step between positions"),
      padding: try options.integer("padding", default: 0, in: 0...1024, unit: "pixels", "zeros around the image"),
      dilation: try options.integer(
        "dilation", default: 1, in: 1...1024, unit: "pixels", "distance of the kernel's taps"),
      groups: try options.integer(
        "groups", default: 1, in: 1...1 << 20, "parts of the channels that are convolved on their own"))
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    return try ConvolutionLayer(input, channels: channels, geometry, bias: bias, in: &scope)
  }
}

import Configuration
import Tensors

/// y = x Wᵀ + b over the last axis: `[…, inputs] → […, outputs]`.
public struct LinearLayer: Layer {
  /// `[outputs, inputs]`, uniform in ±1/√inputs.
  public let weight: Parameter
  /// `[outputs]`, uniform in ±1/√inputs.
  public let bias: Parameter?
  /// The input with its last extent replaced.
  public let output: Signal

  /// Declares `weight`, and `bias` where wanted.
  public init(_ input: Signal, outputs: Int, bias hasBias: Bool = true, in scope: inout ParameterScope) {
    let inputs = input.shape[-1]
    weight = scope.parameter("weight", [outputs, inputs], .inputs(inputs))
    bias = hasBias ? scope.parameter("bias", [outputs], .inputs(inputs)) : nil
    output = input.with(features: outputs)
  }

  /// One matrix product.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.linear(x, recorder.parameter(weight), bias: bias.map(recorder.parameter))
  }

  /// As many units; images are an error, because it takes rows.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try input.requireRows(for: "linear")
    return LinearLayer(input, outputs: output.shape[-1], bias: bias != nil, in: &scope)
  }

  static let kind = LayerKind("linear", shorthand: "outputs", "A matrix product over the last axis, with a bias.") {
    (options, input, scope) throws(ConfigurationError) in
    let outputs = try options.integer("outputs", in: 1...1 << 24, unit: "units", "units of the layer")
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    try input.requireRows(for: "linear")
    return LinearLayer(input, outputs: outputs, bias: bias, in: &scope)
  }
}

extension Signal {
  /// Throws where a layer of numbers gets tokens.
  func requireNumbers(for layer: String) throws(ConfigurationError) {
    if vocabulary != nil {
      throw ConfigurationError("\(layer) gets \(self); put an `embedding` before it")
    }
  }

  /// Throws where a layer of rows gets images or tokens.
  func requireRows(for layer: String) throws(ConfigurationError) {
    try requireNumbers(for: layer)
    if shape.rank == 3 {
      throw ConfigurationError("\(layer) gets \(self) images; put `flatten` or `global-average-pool` before it")
    }
  }

  /// The height, width and channels of images; throws for anything else.
  func requireImages(for layer: String) throws(ConfigurationError) -> (height: Int, width: Int, channels: Int) {
    try requireNumbers(for: layer)
    guard shape.rank == 3 else {
      throw ConfigurationError("\(layer) needs images (height × width × channels) and gets \(self)")
    }
    return (shape[0], shape[1], shape[2])
  }
}

import Configuration
import Tensors

/// Layers down to a code and back to the shape of a sample, with elu between them: linear ones, or 3×3 convolutions that halve
/// images by 2×2 max-pooling and double them by copies of pixels.
enum Autoencoder {
  static let kind = ModelKind(
    "autoencoder", "Layers down to a code and back to the input's shape, with elu; learns from data.targets: inputs."
  ) {
    (options, input, _, scope) throws(ConfigurationError) in
    let channels = try options.integers(
      "channels", default: [], in: 1...1 << 16, unit: "channels",
      "output channels of each convolution; where there are none, layers are linear")
    let widths = try options.integers(
      "widths", default: [256, 64], in: 1...1 << 20, unit: "units", "units of each linear layer down to the code")
    let bias = try options.biases()
    try input.requireNumbers(for: "autoencoder")
    if !channels.isEmpty { return try convolutional(input, channels, bias: bias, &scope) }
    var stack = Stack(input)
    stack.append(Flatten(input))
    for width in widths + widths.reversed().dropFirst() {
      stack.append(in: &scope) { LinearLayer($0, outputs: width, bias: bias, in: &$1) }
      stack.append(Activation.elu.layer(stack.output))
    }
    stack.append(in: &scope) { LinearLayer($0, outputs: input.shape.count, bias: bias, in: &$1) }
    stack.append(Unflatten(stack.output, to: input))
    return stack.sequential
  }

  private static func convolutional(
    _ input: Signal, _ channels: [Int], bias: Bool, _ scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    let first = try input.requireImages(for: "autoencoder")
    var stack = Stack(input)
    func convolve(_ channels: Int, _ scope: inout ParameterScope) throws(ConfigurationError) {
      try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(input, channels: channels, Window(kernel: 3, padding: 1), bias: bias, in: &scope)
      }
    }
    var extents: [Shape] = []
    for count in channels {
      extents.append(stack.output.shape)
      try convolve(count, &scope)
      stack.append(Activation.elu.layer(stack.output))
      stack.append(try MaxPool(stack.output, Window(kernel: 2, stride: 2)))
    }
    let targets = [first.channels] + channels.dropLast()
    for (index, count) in targets.enumerated().reversed() {
      try convolve(count, &scope)
      if index > 0 { stack.append(Activation.elu.layer(stack.output)) }
      stack.append(try Upsample(stack.output, height: extents[index][0], width: extents[index][1]))
    }
    return stack.sequential
  }
}

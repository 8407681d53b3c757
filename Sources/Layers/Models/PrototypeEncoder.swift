import Configuration
import Tensors

/// The encoder of prototypical networks (Snell, Swersky, Zemel 2017, section 3): blocks of a 3×3 convolution, batch
/// normalisation, relu and 2×2 max-pooling, flattened.
///
/// It makes an embedding, `[height / 2^blocks · width / 2^blocks · channels]`, whatever the number of classes: 64 numbers of a
/// 28×28 image.
enum PrototypeEncoder {
  static let kind = ModelKind(
    "prototype-encoder", "Blocks of convolution, batch-norm, relu and max-pooling; makes an embedding, no classes."
  ) {
    (options, input, _, scope) throws(ConfigurationError) in
    let channels = try options.integer(
      "channels", default: 64, in: 1...1 << 16, unit: "channels", "output channels of each convolution")
    let blocks = try options.integer("blocks", default: 4, in: 1...16, "blocks, each of which halves the image")
    var stack = Stack(input)
    for _ in 0..<blocks {
      try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(input, channels: channels, .init(kernel: 3, padding: 1), bias: true, in: &scope)
      }
      stack.append(in: &scope) { BatchNorm($0, in: &$1) }
      stack.append(Activation.relu.layer(stack.output))
      stack.append(try MaxPool(stack.output, .init(kernel: 2, stride: 2)))
    }
    stack.append(Flatten(stack.output))
    return stack.sequential
  }
}

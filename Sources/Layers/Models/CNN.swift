import Configuration
import Tensors

/// Two 3×3 convolutions with relu and 2×2 max-pooling, then two linear layers.
enum CNN {
  static let kind = ModelKind("cnn", "Two convolutions with max-pooling, two linear layers.") {
    (options, input, classes, scope) throws(ConfigurationError) in
    let channels = try options.integers(
      "channels", default: [32, 64], in: 1...1 << 16, unit: "channels", "output channels of each convolution")
    let width = try options.integer(
      "width", default: 128, in: 1...1 << 20, unit: "units", "units of the hidden linear layer")
    let dropout = try options.number(
      "dropout", default: 0, in: .fractionBelowOne, "share of the hidden units that is dropped in training")
    let bias = try options.biases()
    var stack = Stack(input)
    for (index, count) in channels.enumerated() {
      try stack.append("c\(index + 1)", in: &scope) {
        (input, scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(input, channels: count, .init(kernel: 3, padding: 1), bias: bias, in: &scope)
      }
      stack.append(Activation.relu.layer(stack.output), name: "relu\(index + 1)")
      stack.append(try MaxPool(stack.output, .init(kernel: 2, stride: 2)), name: "pool\(index + 1)")
    }
    stack.append(Flatten(stack.output), name: "flatten")
    stack.append("f1", in: &scope) { LinearLayer($0, outputs: width, bias: bias, in: &$1) }
    stack.append(Activation.relu.layer(stack.output), name: "relu")
    if dropout > 0 { stack.append(Dropout(stack.output, probability: Float(dropout)), name: "dropout") }
    stack.append("f2", in: &scope) { LinearLayer($0, outputs: classes, bias: bias, in: &$1) }
    return stack.sequential
  }
}

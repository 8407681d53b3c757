import Configuration
import Tensors

/// A multilayer perceptron: flattens its input, then linear layers with relu between them.
enum MLP {
  static let kind = ModelKind("mlp", "Linear layers with relu between them; flattens its input.") {
    (options, input, classes, scope) throws(ConfigurationError) in
    let widths = try options.integers(
      "widths", default: [512, 512], in: 1...1 << 20, unit: "units", "units of each hidden layer")
    let dropout = try options.number(
      "dropout", default: 0, in: .fractionBelowOne, "share of the hidden units that is dropped in training")
    let bias = try options.biases()
    try input.requireNumbers(for: "mlp")
    var stack = Stack(input)
    stack.append(Flatten(input))
    for width in widths {
      stack.append(in: &scope) { LinearLayer($0, outputs: width, bias: bias, in: &$1) }
      stack.append(Activation.relu.layer(stack.output))
      if dropout > 0 { stack.append(Dropout(stack.output, probability: Float(dropout))) }
    }
    stack.append(in: &scope) { LinearLayer($0, outputs: classes, bias: bias, in: &$1) }
    return stack.sequential
  }
}

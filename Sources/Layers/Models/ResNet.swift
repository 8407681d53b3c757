import Configuration
import Tensors

/// ResNets for small images (He et al. 2016, section 4.2): 6n + 2 layers of 16, 32 and 64 channels, with 1×1 convolutions
/// on the shortcuts where the shape changes (the paper pads with zeros).
enum ResNet {
  static func kind(depth: Int) -> ModelKind {
    ModelKind("resnet\(depth)", "A residual network of \(depth) layers with 16, 32 and 64 channels.") {
      (options, input, classes, scope) throws(ConfigurationError) in
      let width = try options.integer(
        "width", default: 16, in: 1...4096, unit: "channels", "channels of the first stage")
      let synchronised = try BatchNorm.readSynchronised(&options)
      var stack = Stack(input)
      try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(input, channels: width, .init(kernel: 3, padding: 1), bias: false, in: &scope)
      }
      stack.append(in: &scope) { BatchNorm($0, synchronised: synchronised, in: &$1) }
      stack.append(Activation.relu.layer(stack.output))
      for (stage, channels) in [width, 2 * width, 4 * width].enumerated() {
        for block in 0..<(depth - 2) / 6 {
          try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
            try BasicBlock(
              input, channels: channels, stride: stage > 0 && block == 0 ? 2 : 1, synchronised: synchronised, in: &scope
            )
          }
        }
      }
      stack.append(try GlobalAveragePool(stack.output))
      stack.append(Flatten(stack.output))
      stack.append(in: &scope) { LinearLayer($0, outputs: classes, in: &$1) }
      return stack.sequential
    }
  }
}

/// relu(b2(c2(relu(b1(c1(x))))) + s(x)), s a 1×1 convolution with normalisation where the shape changes.
package struct BasicBlock: Layer {
  package let output: Signal
  private let c1, c2: ConvolutionLayer
  private let b1, b2: BatchNorm
  private let short: (convolution: ConvolutionLayer, norm: BatchNorm)?
  package var endsBlock: Bool { true }

  package init(
    _ input: Signal, channels: Int, stride: Int, synchronised: Bool, in scope: inout ParameterScope
  ) throws(ConfigurationError) {
    func norm(_ name: String, _ scope: inout ParameterScope, after input: Signal) -> BatchNorm {
      scope.nested(name) { BatchNorm(input, synchronised: synchronised, in: &$0) }
    }
    func convolution(
      _ name: String, _ input: Signal, _ window: Window, _ scope: inout ParameterScope
    ) throws(ConfigurationError) -> ConvolutionLayer {
      try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(input, channels: channels, window, bias: false, in: &scope)
      }
    }
    let first = try convolution("c1", input, .init(kernel: 3, stride: stride, padding: 1), &scope)
    c1 = first
    b1 = norm("b1", &scope, after: first.output)
    c2 = try convolution("c2", first.output, .init(kernel: 3, padding: 1), &scope)
    b2 = norm("b2", &scope, after: first.output)
    if stride != 1 || input.shape[-1] != channels {
      let around = try convolution("short.0", input, .init(kernel: 1, stride: stride), &scope)
      short = (around, norm("short.1", &scope, after: first.output))
    } else {
      short = nil
    }
    output = first.output
  }

  /// A block of as many channels, whose shortcut is a convolution where the shape changes.
  package func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try BasicBlock(
      input, channels: output.shape[-1], stride: stride ?? c1.window.stride, synchronised: b1.synchronised, in: &scope)
  }

  package func record(_ x: Value, _ recorder: Recorder) -> Value {
    let inner = recorder.relu(b1.record(c1.record(x, recorder), recorder))
    let sum = b2.record(c2.record(inner, recorder), recorder)
    let around = short.map { $0.norm.record($0.convolution.record(x, recorder), recorder) } ?? x
    return recorder.relu(recorder.add(sum, around))
  }
}

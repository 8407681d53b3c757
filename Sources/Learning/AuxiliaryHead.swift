import Configuration
import Layers
import Tensors

/// Small networks that predict targets from what a block makes.
enum AuxiliaryHead: String, CaseIterable, LocalLossKind {
  /// Decoupled greedy learning's, as AugLocal's baseline has it: average pooling to ⌈height / 4⌉, three times a 1×1
  /// convolution, normalisation and relu, average pooling to 2×2, twice a linear layer of as many units as it gets,
  /// normalisation and relu, then the classifier.  Vectors begin with the linear layers; positions of a sequence too, with
  /// layer normalisation, because each is predicted by itself.
  case full
  /// Global average pooling of images, then the classifier.
  case linear
  /// Two 3×3 convolutions with normalisation and relu, global average pooling, 128 units with relu, the classifier: what MAN's
  /// program calls 2c2f.
  case convolutional

  /// Reads the key `head`.
  static func read(_ options: inout Options, default head: AuxiliaryHead) throws(ConfigurationError) -> AuxiliaryHead {
    let name = try options.choice(
      "head", of: allCases.map(\.rawValue), default: head.rawValue,
      "each block's own classifier: with convolutions and hidden layers, or one linear layer")
    guard let head = AuxiliaryHead(rawValue: name) else { preconditionFailure("\(name) was checked") }
    return head
  }

  func make(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> any LocalLoss {
    let head = try network(place, in: &scope)
    return HeadLoss(head: head, scope: place.name, objective: place.objective)
  }

  private func network(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> Sequential {
    switch self {
    case .full: try AuxiliaryHead.full(place, in: &scope)
    case .linear: try AuxiliaryHead.linear(place, in: &scope)
    case .convolutional: try AuxiliaryHead.projection(place, outputs: place.outputs, convolutions: 2, in: &scope)
    }
  }

  private static func linear(
    _ place: LocalPlace, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    var stack = Stack(place.signal)
    if place.signal.shape.rank == 3 { stack.append(try GlobalAveragePool(place.signal)) }
    if stack.output.shape.rank != 1, !place.predictsPositions { stack.append(Flatten(stack.output)) }
    stack.append(in: &scope) { LinearLayer($0, outputs: place.outputs, in: &$1) }
    return stack.sequential
  }

  private static func full(
    _ place: LocalPlace, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    let input = place.signal
    var stack = Stack(input)
    var width = input.shape[-1]
    if input.shape.rank == 3 {
      let (height, breadth) = (input.shape[0], input.shape[1])
      stack.append(try AdaptiveAveragePool(input, rows: (height + 3) / 4, columns: (breadth + 3) / 4))
      for _ in 0..<3 { try stack.convolution(width, .init(kernel: 1), in: &scope) }
      let (rows, columns) = (min(2, stack.output.shape[0]), min(2, stack.output.shape[1]))
      stack.append(try AdaptiveAveragePool(stack.output, rows: rows, columns: columns))
      stack.append(Flatten(stack.output))
      width = stack.output.shape[0]
    } else if input.shape.rank == 2, !place.predictsPositions {
      stack.append(Flatten(input))
    }
    for _ in 0..<2 {
      stack.append(in: &scope) { LinearLayer($0, outputs: width, bias: false, in: &$1) }
      stack.append(in: &scope) { (input, scope) -> any Layer in
        if input.shape.rank == 2 { return LayerNorm(input, in: &scope) }
        return BatchNorm(input, in: &scope)
      }
      stack.append(Activation.relu.layer(stack.output))
    }
    stack.append(in: &scope) { LinearLayer($0, outputs: place.outputs, in: &$1) }
    return stack.sequential
  }

  /// InfoPro's: 3×3 convolutions, which halve images larger than a quarter of the samples and double their channels, global
  /// average pooling, 128 units with relu, and as many outputs as wanted; each position of a sequence by itself where the model
  /// predicts for each.
  static func projection(
    _ place: LocalPlace, outputs: Int, convolutions: Int, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    let input = place.signal
    var stack = Stack(input)
    if input.shape.rank == 3 {
      for _ in 0..<convolutions {
        let isLarge = 4 * stack.output.shape[0] > place.model.input.shape[0] + 3
        try stack.convolution(
          stack.output.shape[2] * (isLarge ? 2 : 1), .init(kernel: 3, stride: isLarge ? 2 : 1, padding: 1), in: &scope)
      }
      stack.append(try GlobalAveragePool(stack.output))
    } else if input.shape.rank == 2, !place.predictsPositions {
      stack.append(Flatten(input))
    }
    stack.append(in: &scope) { LinearLayer($0, outputs: 128, in: &$1) }
    stack.append(Activation.relu.layer(stack.output))
    stack.append(in: &scope) { LinearLayer($0, outputs: outputs, in: &$1) }
    return stack.sequential
  }
}

extension Stack {
  /// Appends a convolution, normalisation and relu.
  mutating func convolution(
    _ channels: Int, _ window: Window, in scope: inout ParameterScope
  ) throws(ConfigurationError) {
    try append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
      try ConvolutionLayer(input, channels: channels, window, bias: false, in: &scope)
    }
    append(in: &scope) { BatchNorm($0, in: &$1) }
    append(Activation.relu.layer(output))
  }
}

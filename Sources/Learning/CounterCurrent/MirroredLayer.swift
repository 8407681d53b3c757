import Configuration
import Layers
import Tensors

/// A part of a model with one layer of weights, and the feedback layer that maps back what it makes.
struct MirroredLayer: Sendable {
  /// The layers of the model: flatten before the weights, activation, pooling and dropout after them.
  let layers: Range<Int>
  /// One sample as it enters.
  let input: Signal
  /// One sample as it leaves.
  let output: Signal
  /// The name of the feedback layer, which its parameters carry.
  let scope: String
  private let feedback: any Layer
  /// Whether elu follows the feedback layer.
  private let isActivated: Bool

  /// What the feedback layer makes of `rows` rows of what leaves the part: as many of what enters it.
  ///
  /// Images are brought back to their extents by copies of pixels before the convolution.
  func recordFeedback(_ rows: Value, _ recorder: Recorder) -> Value {
    recorder.scope(scope) {
      let count = recorder.shape(rows)[0]
      let linear: Value
      if feedback is ConvolutionLayer {
        linear = feedback.record(
          recorder.nearestResize(rows, height: input.shape[0], width: input.shape[1]), recorder)
      } else {
        let flat = recorder.reshape(rows, [count, output.shape.count])
        linear = recorder.reshape(feedback.record(flat, recorder), input.shape.batched(count))
      }
      return isActivated ? recorder.elu(linear) : linear
    }
  }

  /// Cuts a model before each layer of weights, and declares a feedback layer for each part, without bias.  Errors name the
  /// layer that feedback does not mirror, and why.
  static func mirror(
    _ model: Model, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> [MirroredLayer] {
    var starts = [0]
    var hasWeights = false
    for (place, named) in model.layers.enumerated() {
      let isWeighted = try weighs(named)
      if hasWeights, isWeighted || named.layer is Flatten {
        starts.append(place)
        hasWeights = false
      }
      hasWeights = hasWeights || isWeighted
    }
    guard hasWeights else {
      throw refusal(model.layers[model.layers.count - 1], "no layer of weights follows the last `flatten`")
    }
    let ends = starts.dropFirst() + [model.layers.count]
    var mirrored: [MirroredLayer] = []
    for (index, layers) in zip(starts, ends).map({ $0..<$1 }).enumerated() {
      let name = "auxiliary.feedback.\(index + 1)"
      mirrored.append(
        try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
          try MirroredLayer(model, layers, name, isFirst: index == 0, &scope)
        })
    }
    return mirrored
  }

  private init(
    _ model: Model, _ layers: Range<Int>, _ name: String, isFirst: Bool, _ scope: inout ParameterScope
  ) throws(ConfigurationError) {
    self.layers = layers
    input = layers.lowerBound == 0 ? model.input : model.layers[layers.lowerBound - 1].layer.output
    output = model.layers[layers.upperBound - 1].layer.output
    self.scope = name
    isActivated = !isFirst
    let named = model.layers[layers].first { $0.layer is ConvolutionLayer || $0.layer is LinearLayer }
    guard let named else { preconditionFailure("layers \(layers) of \(model.name) have no weights") }
    if let convolution = named.layer as? ConvolutionLayer {
      let window = convolution.window
      let reach = (window.kernel - 1) * window.dilation
      guard reach.isMultiple(of: 2), input.shape.rank == 3, output.shape.rank == 3 else {
        throw MirroredLayer.refusal(named, "a convolution back to the same extents needs an odd kernel")
      }
      let images = Signal([input.shape[0], input.shape[1], output.shape[2]])
      feedback = try ConvolutionLayer(
        images, channels: input.shape[2],
        Window(kernel: window.kernel, padding: reach / 2, dilation: window.dilation), groups: convolution.groups,
        bias: false, in: &scope)
    } else {
      guard named.layer.output.shape.rank == 1 else {
        throw MirroredLayer.refusal(
          named, "it makes \(named.layer.output), not one row a sample; put `flatten` before it")
      }
      feedback = LinearLayer(
        Signal([output.shape.count]), outputs: input.shape.count, bias: false, in: &scope)
    }
  }

  /// Whether a layer has weights that feedback mirrors; throws for what it can neither mirror nor pass by.
  private static func weighs(_ named: NamedLayer) throws(ConfigurationError) -> Bool {
    let layer = named.layer
    if layer is LinearLayer || layer is ConvolutionLayer { return true }
    let passes =
      layer is Flatten || layer is Unflatten || layer is MaxPool || layer is AveragePool || layer is Upsample
      || layer is Dropout || Activation(rawValue: layer.kind) != nil
    guard passes else {
      throw refusal(
        named,
        "feedback mirrors linear layers and convolutions, with activations, pooling, flatten and dropout between them"
      )
    }
    return false
  }

  private static func refusal(_ named: NamedLayer, _ why: String) -> ConfigurationError {
    ConfigurationError("rule counter-current cannot train layer `\(named.name)` (\(named.layer.kind)): \(why)")
  }
}

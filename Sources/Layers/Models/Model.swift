import Configuration
import Tensors

/// A network: a list of layers whose parameters lie in one block.  A value; replicas share it.
public struct Model: Sendable {
  /// What it was called: `resnet20`, or `layers` for a list of the configuration's own.
  public let name: String
  /// Its layers, first to last: the units that local learning rules and recomputation cut at.
  public let layers: [NamedLayer]
  /// Names and ranges of its parameters and states, in order of declaration.
  public let layout: ParameterLayout
  /// One sample.
  public let input: Signal
  /// What it makes of a sample: one number a class, or one row of them a position.
  public let output: Signal

  init(_ name: String, _ sequential: Sequential, input: Signal, _ layout: ParameterLayout) {
    self.name = name
    layers = sequential.layers
    self.layout = layout
    self.input = input
    output = sequential.output
  }

  /// The same network with what was declared after its layers' parameters, by a learning rule.
  package func extended(_ layout: ParameterLayout) -> Model {
    Model(name, Sequential(layers, input: input), input: input, layout)
  }

  /// Layers of the same architecture as some of the model's, for another input, with parameters of their own (see
  /// `Layer.fresh`).  Errors name the layer.
  package func fresh(
    _ places: Range<Int>, for input: Signal, stride: Int? = nil, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    try Sequential(Array(layers[places]), input: self.input(of: places)).layers(for: input, stride: stride, in: &scope)
  }

  /// What enters the first of some layers.
  package func input(of places: Range<Int>) -> Signal {
    places.lowerBound == 0 ? input : layers[places.lowerBound - 1].layer.output
  }

  /// The parameters of some layers, in order of declaration.
  package func parameters(of places: Range<Int>) -> [Parameter] {
    layout.parameters.filter { parameter in layers[places].contains { parameter.name.hasPrefix($0.name + ".") } }
  }

  /// Records all layers, `[batch] + input → [batch] + output`, or some of them one after the other.
  public func record(_ x: Value, _ recorder: Recorder, layers places: Range<Int>? = nil) -> Value {
    layers[places ?? layers.indices].reduce(x) { x, named in
      recorder.scope(named.name) { named.layer.record(x, recorder) }
    }
  }

  /// Places of the layers that have parameters, in order.
  public var parametrisedLayers: [Int] {
    layers.indices.filter { place in layout.parameters.contains { $0.name.hasPrefix(layers[place].name + ".") } }
  }

  /// Records the samples of the batch.
  public func recordInput(_ recorder: Recorder) -> Value {
    recorder.input(input.shape, input.vocabulary == nil ? .float32 : .int32)
  }
}

/// A model that a configuration can name.  Adding one is a file and a line of `ModelCatalog.all`.
public struct ModelKind: Sendable {
  /// Makes the layers for an input and a number of classes.
  public typealias Make =
    @Sendable (inout Options, Signal, Int, inout ParameterScope) throws(ConfigurationError) -> Sequential

  /// The name in configurations.
  public let name: String
  /// What it is, in a sentence.
  public let help: String
  let make: Make

  init(_ name: String, _ help: String, make: @escaping Make) {
    self.name = name
    self.help = help
    self.make = make
  }
}

extension Options {
  /// The key `bias` of models whose layers all have biases or none.
  mutating func biases() throws(ConfigurationError) -> Bool {
    try flag("bias", default: true, "whether layers add biases; federated methods that train masks need models without")
  }
}

/// The models that a configuration can name, one line each.
public enum ModelCatalog {
  /// All kinds.
  public static let all: [ModelKind] = [
    MLP.kind,
    CNN.kind,
    VGG.kind,
    ResNet.kind(depth: 20),
    ResNet.kind(depth: 32),
    ResNet.kind(depth: 56),
    ResNet.kind(depth: 110),
    GPT.kind,
    PrototypeEncoder.kind,
    Autoencoder.kind,
  ]
}

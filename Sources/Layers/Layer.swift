import Configuration
import Tensors

/// A function with parameters.  Layers are immutable values that hold names and ranges, so replicas share one model.
public protocol Layer: Sendable {
  /// What it makes of one sample.
  var output: Signal { get }

  /// Whether it ends with a nonlinearity, after which local learning rules can cut a model.
  var endsBlock: Bool { get }

  /// What it is called in tables; by default its type's name, in the style of configurations.
  var kind: String { get }

  /// Records what it does to a batch: `x` is `[batch] + input`, the result `[batch] + output`.
  func record(_ x: Value, _ recorder: Recorder) -> Value

  /// A layer of the same architecture for another input, with parameters of its own.  Where a `stride` is given, it is what
  /// the layer's first convolution moves by, and pooling is left out; without, windows are as they are here.
  ///
  /// Errors say why this layer cannot be copied, or does not fit the input.
  func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer
}

/// A layer under the name that its parameters carry.
public struct NamedLayer: Sendable {
  /// For example `0` or `blocks.3`.
  public let name: String
  /// What it does.
  public let layer: any Layer
}

/// A kind of layer that a configuration can name.  Adding one is a file and a line of `LayerCatalog.all`.
public struct LayerKind: Sendable {
  /// Makes a layer for an input; parameters are declared in the scope.  Errors say what does not fit.
  public typealias Make =
    @Sendable (inout Options, Signal, inout ParameterScope) throws(ConfigurationError) -> any Layer

  /// The name in configurations: `max-pool`.
  public let name: String
  /// The key that a bare value stands for: `{linear: 10}` is `{linear: {outputs: 10}}`.
  public let shorthand: String?
  /// What it computes, in a sentence.
  public let help: String
  /// Reads its options.
  public let make: Make

  /// A kind of layer.
  public init(_ name: String, shorthand: String? = nil, _ help: String, make: @escaping Make) {
    self.name = name
    self.shorthand = shorthand
    self.help = help
    self.make = make
  }
}

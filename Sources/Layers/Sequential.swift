import Configuration
import Tensors

/// Layers one after the other.
public struct Sequential: Layer {
  /// The layers with their names, first to last.
  public let layers: [NamedLayer]
  private let input: Signal

  /// Layers that fit one another.
  init(_ layers: [NamedLayer], input: Signal) {
    self.layers = layers
    self.input = input
  }

  /// What the last layer makes.
  public var output: Signal { layers.last?.layer.output ?? input }

  /// Applies each layer to the result of the one before.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    layers.reduce(x) { x, named in recorder.scope(named.name) { named.layer.record(x, recorder) } }
  }
}

extension Sequential {
  /// Layers of the same architecture for another input; the first whose images become smaller takes the stride.  Errors name
  /// the layer.
  package func layers(
    for input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    var made = Stack(input)
    var stride = stride
    for named in layers {
      let extents = made.output.shape.dimensions.dropLast()
      do throws(ConfigurationError) {
        try made.append(named.name, in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
          try named.layer.fresh(input, stride: stride, in: &scope)
        }
      } catch {
        throw ConfigurationError("layer `\(named.name)` (\(named.layer.kind)): \(error.message)")
      }
      if stride != nil, made.output.shape.dimensions.dropLast() != extents { stride = 1 }
    }
    return made.sequential
  }

  /// The same, as a layer.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    try layers(for: input, stride: stride, in: &scope)
  }

  /// Reads a list of layers; each is named by its place, as in PyTorch's `Sequential`.
  static func read(
    _ nodes: [Node], path: String, input: Signal, scope: inout ParameterScope
  ) throws(ConfigurationError) -> (layers: Sequential, resolved: [Node]) {
    var layers: [NamedLayer] = []
    var resolved: [Node] = []
    var signal = input
    for (position, node) in nodes.enumerated() {
      let made = try scope.nested("\(position)") { (scope: inout ParameterScope) throws(ConfigurationError) in
        try LayerCatalog.read(node, position, path: path, signal, &scope)
      }
      layers.append(NamedLayer(name: "\(position)", layer: made.layer))
      resolved.append(made.resolved)
      signal = made.layer.output
    }
    return (Sequential(layers, input: input), resolved)
  }
}

/// Builds a list of layers in code, as the named models do; every layer is named by its place unless told otherwise.
package struct Stack {
  package private(set) var layers: [NamedLayer] = []
  package let input: Signal

  package init(_ input: Signal) { self.input = input }

  /// What the last layer makes.
  package var output: Signal { layers.last?.layer.output ?? input }

  /// Appends a layer made for the present output, its parameters under `name` or the layer's place.
  package mutating func append<Failure: Error>(
    _ name: String? = nil, in scope: inout ParameterScope,
    _ make: (Signal, inout ParameterScope) throws(Failure) -> any Layer
  ) throws(Failure) {
    let name = name ?? "\(layers.count)"
    let input = output
    let layer = try scope.nested(name) { (scope: inout ParameterScope) throws(Failure) in try make(input, &scope) }
    layers.append(NamedLayer(name: name, layer: layer))
  }

  /// Appends a layer without parameters.
  package mutating func append(_ layer: any Layer, name: String? = nil) {
    layers.append(NamedLayer(name: name ?? "\(layers.count)", layer: layer))
  }

  package var sequential: Sequential { Sequential(layers, input: input) }
}

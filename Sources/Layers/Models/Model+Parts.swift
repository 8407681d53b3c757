import Configuration
import Tensors

extension Model {
  /// The first `count` layers with what they own; what comes after them is gone.
  package func prefix(_ count: Int) -> Model {
    let own = declarations(upTo: count)
    return Model(
      name, Sequential(Array(layers[..<count]), input: input), input: input,
      layout.prefix(parameters: own.parameters, states: own.states))
  }

  /// The first `count` layers for another signal, which a learning rule makes of the samples: under the same names, and at the
  /// same ranges wherever shapes do not depend on the signal.
  package func prefix(_ count: Int, for signal: Signal) throws(ConfigurationError) -> Model {
    var scope = ParameterScope()
    let first = try fresh(0..<count, for: signal, in: &scope)
    return Model(name, first, input: input, scope.layout)
  }

  /// The same network with another layer at its end that a learning rule declared, and all else that it did.
  package func extended(_ layout: ParameterLayout, by layer: any Layer, name: String) -> Model {
    Model(
      self.name, Sequential(layers + [NamedLayer(name: name, layer: layer)], input: input), input: input, layout)
  }

  /// Some of the layers, one after the other.
  package func sequential(_ places: Range<Int>) -> Sequential {
    Sequential(
      Array(layers[places]), input: places.lowerBound == 0 ? input : layers[places.lowerBound - 1].layer.output)
  }

  /// How many parameters and states the first `count` layers declare: those that come before what later layers declare.
  private func declarations(upTo count: Int) -> (parameters: Int, states: Int) {
    let later = layers[count...].map { $0.name + "." }
    func isLater(_ name: String) -> Bool { later.contains { name.hasPrefix($0) } }
    return (
      layout.parameters.firstIndex { isLater($0.name) } ?? layout.parameters.count,
      layout.states.firstIndex { isLater($0.name) } ?? layout.states.count
    )
  }
}

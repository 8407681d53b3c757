/// A named range of a parameter block.  Layers hold parameters, never weights.
public struct Parameter: Hashable, Sendable {
  /// PyTorch's name: `blocks.0.qkv.weight`.
  public let name: String
  /// Logical shape, row-major: out × in × kernel height × kernel width.
  public let shape: Shape
  /// Scalars of the block.
  public let range: Range<Int>
  /// How it starts.
  public let initialiser: Initialiser
}

/// A named range of what a model remembers beside parameters; moved once a step towards a statistic of the batch.
public struct ModelState: Hashable, Sendable {
  /// PyTorch's name: `1.running_mean`.
  public let name: String
  /// Logical shape.
  public let shape: Shape
  /// Scalars of the state block.
  public let range: Range<Int>
  /// Value at the start.
  public let initial: Float
  /// Share of the new statistic in the moved state.
  public let momentum: Float
}

/// How a parameter starts.  The defaults of layers are PyTorch's.
public enum Initialiser: Hashable, Sendable {
  case constant(Float)
  /// Uniform in ±bound.
  case uniform(bound: Float)
  /// Normal with mean 0.
  case normal(deviation: Float)

  /// PyTorch's default for weights and biases of linear and convolution layers: ±1/√(inputs of a unit).
  public static func inputs(_ fanIn: Int) -> Initialiser {
    .uniform(bound: Float(1 / Double(max(1, fanIn)).squareRoot()))
  }

  /// Uniform in ±√(6 / (rows + columns)) of the last two axes (Glorot and Bengio 2010): PyTorch Geometric's default.
  public static func glorot(_ rows: Int, _ columns: Int) -> Initialiser {
    .uniform(bound: Float((6 / Double(rows + columns)).squareRoot()))
  }
}

/// Names and ranges of everything a model owns, in order of declaration.
public struct ParameterLayout: Sendable {
  /// Parameters, one after the other.
  public internal(set) var parameters: [Parameter] = []
  /// States, one after the other.
  public internal(set) var states: [ModelState] = []

  /// Scalars of the parameter block.
  public var parameterCount: Int { parameters.last?.range.upperBound ?? 0 }
  /// Scalars of the state block.
  public var stateCount: Int { states.last?.range.upperBound ?? 0 }
  /// Scalars of a gradient block: one a parameter, then one a state for the statistics that move it.
  public var gradientCount: Int { parameterCount + stateCount }

  /// Writes the initial values of all parameters; a function of the seed and the order of declaration.
  public func initialise(_ store: ParameterStore, seed: UInt64) {
    for (index, parameter) in parameters.enumerated() {
      let scalars = store.parameters.base + parameter.range.lowerBound
      var random = RandomStream(seed: seed, .initialisation, layer: UInt64(index))
      for i in 0..<parameter.range.count {
        switch parameter.initialiser {
        case .constant(let value): scalars[i] = value
        case .uniform(let bound): scalars[i] = (2 * random.uniform() - 1) * bound
        case .normal(let deviation): scalars[i] = random.normal() * deviation
        }
      }
    }
    for state in states {
      (store.states.base + state.range.lowerBound).update(repeating: state.initial, count: state.range.count)
    }
  }
}

/// Declares parameters while a model is built; the order of declaration is the order everywhere.
public struct ParameterScope: ~Copyable {
  /// All that was declared so far.
  public private(set) var layout = ParameterLayout()
  private var names: [String] = []

  /// An empty scope.
  public init() {}

  /// Declares a parameter of the present scope.
  public mutating func parameter(_ name: String, _ shape: Shape, _ initialiser: Initialiser) -> Parameter {
    let start = layout.parameterCount
    let parameter = Parameter(
      name: qualified(name), shape: shape, range: start..<start + shape.count, initialiser: initialiser)
    layout.parameters.append(parameter)
    return parameter
  }

  /// Declares a state of the present scope.
  public mutating func state(_ name: String, _ shape: Shape, initial: Float, momentum: Float) -> ModelState {
    let start = layout.stateCount
    let state = ModelState(
      name: qualified(name), shape: shape, range: start..<start + shape.count, initial: initial, momentum: momentum)
    layout.states.append(state)
    return state
  }

  /// Declares under a name: `blocks`, then `0`.
  public mutating func nested<Result, Failure: Error>(
    _ name: String, _ build: (inout ParameterScope) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    names.append(name)
    defer { names.removeLast() }
    return try build(&self)
  }

  /// The name of something in the present scope.
  public func qualified(_ name: String) -> String { (names + [name]).joined(separator: ".") }
}

/// A named range of a parameter block.  Layers hold parameters, never weights.
public struct Parameter: Hashable, Sendable {
  /// PyTorch's name: `blocks.0.qkv.weight`.
  public let name: String
  /// Logical shape, row-major: out × in × kernel height × kernel width.
  public let shape: Shape
  /// Scalars of the parameter block; those of a follower are scalars of the state block.
  public let range: Range<Int>
  /// How it starts.
  public let initialiser: Initialiser
  /// Whether it is a state that follows another parameter: layers read it like any, no gradient reaches it.
  public let isFollower: Bool
}

/// A named range of what a model remembers beside parameters.
public struct ModelState: Hashable, Sendable {
  /// How a state changes, once a step.
  public enum Motion: Hashable, Sendable {
    /// Towards a statistic of the batch; `momentum` is the share of the new one.
    case statistic(momentum: Float)
    /// Towards the parameter of a name as it was before the step; `momentum` is the parameter's share.
    case following(parameter: Range<Int>, momentum: Float)
    /// Never.
    case fixed
  }

  /// PyTorch's name: `1.running_mean`.
  public let name: String
  /// Logical shape.
  public let shape: Shape
  /// Scalars of the state block.
  public let range: Range<Int>
  /// How it starts.
  public let initialiser: Initialiser
  /// How it changes.
  public let motion: Motion
  /// Scalars of the statistics at the end of a gradient block, where it moves towards one.
  public let statistic: Range<Int>?
}

/// How a parameter starts.  The defaults of layers are PyTorch's.
public enum Initialiser: Hashable, Sendable {
  case constant(Float)
  /// Uniform in ±bound.
  case uniform(bound: Float)
  /// Normal with mean 0.
  case normal(deviation: Float)
  /// Orthonormal rows, uniform among all such (of normal numbers, by Gram and Schmidt); columns where there are more rows.
  case orthogonal(rows: Int, columns: Int)
  /// Given, one after the other.
  case values([Float])

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
  /// Scalars of the state block up to the last state that moves: what differs between models that learn apart.
  public var movingStateCount: Int { states.last { $0.motion != .fixed }?.range.upperBound ?? 0 }
  /// Scalars of the statistics that move states.
  public var statisticCount: Int { states.last { $0.statistic != nil }?.statistic?.upperBound ?? 0 }
  /// Scalars of a gradient block: one a parameter, then those of the statistics.
  public var gradientCount: Int { parameterCount + statisticCount }

  /// Writes the initial values of all parameters; a function of the seed and the order of declaration.
  public func initialise(_ store: ParameterStore, seed: UInt64) {
    for (index, parameter) in parameters.enumerated() {
      parameter.initialiser.fill(
        store.parameters.base + parameter.range.lowerBound, parameter.range.count, seed: seed, layer: UInt64(index))
    }
    for (index, state) in states.enumerated() {
      state.initialiser.fill(
        store.states.base + state.range.lowerBound, state.range.count, seed: seed, layer: UInt64(index) | 1 << 32)
    }
  }
}

extension Initialiser {
  /// Draws `count` scalars with the random numbers of a layer.
  func fill(_ scalars: UnsafeMutablePointer<Float>, _ count: Int, seed: UInt64, layer: UInt64) {
    if case .constant(let value) = self { return scalars.update(repeating: value, count: count) }
    if case .values(let values) = self {
      precondition(values.count == count, "\(values.count) values for \(count) scalars")
      for i in 0..<count { scalars[i] = values[i] }
      return
    }
    var random = RandomStream(seed: seed, .initialisation, layer: layer)
    if case .orthogonal(let rows, let columns) = self {
      let vectors = random.orthonormal(min(rows, columns), of: max(rows, columns))
      for i in 0..<count {
        let (row, column) = (i / columns, i % columns)
        scalars[i] = Float(rows <= columns ? vectors[row][column] : vectors[column][row])
      }
      return
    }
    for i in 0..<count {
      switch self {
      case .constant, .orthogonal, .values: preconditionFailure("\(self) is written as a whole")
      case .uniform(let bound): scalars[i] = (2 * random.uniform() - 1) * bound
      case .normal(let deviation): scalars[i] = random.normal() * deviation
      }
    }
  }
}

/// Declares parameters while a model is built; the order of declaration is the order everywhere.
public struct ParameterScope: ~Copyable {
  /// All that was declared so far.
  public internal(set) var layout = ParameterLayout()
  private var names: [String] = []
  /// What the parameters declared next are to follow, last first, and how fast; nil where they are parameters.
  private var followed: (parameters: [Parameter], momentum: Float)?

  /// An empty scope.
  public init() {}

  /// A scope that goes on after what was declared before.
  public init(after layout: ParameterLayout) { self.layout = layout }

  /// Declares a parameter of the present scope.
  public mutating func parameter(_ name: String, _ shape: Shape, _ initialiser: Initialiser) -> Parameter {
    if let leader = followed?.parameters.popLast(), let momentum = followed?.momentum {
      precondition(leader.shape == shape, "\(qualified(name)) \(shape) follows \(leader.name) \(leader.shape)")
      let state = state(name, shape, initialiser, .following(parameter: leader.range, momentum: momentum))
      return Parameter(
        name: state.name, shape: shape, range: state.range, initialiser: initialiser, isFollower: true)
    }
    precondition(followed == nil, "\(qualified(name)) has nothing to follow")
    let start = layout.parameterCount
    let parameter = Parameter(
      name: qualified(name), shape: shape, range: start..<start + shape.count, initialiser: initialiser,
      isFollower: false)
    layout.parameters.append(parameter)
    return parameter
  }

  /// Declares what a copy of some layers owns so that each of its parameters is a state that follows the original's: once a
  /// step it moves by the share `momentum` towards the parameter before the step.  States of the copy are its own.
  ///
  /// Precondition: `parameters` are those of the original, in the order in which the copy declares its own.
  public mutating func following<Result, Failure: Error>(
    _ parameters: [Parameter], momentum: Float, _ build: (inout ParameterScope) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    followed = (parameters.reversed(), momentum)
    defer { followed = nil }
    let result = try build(&self)
    precondition(followed?.parameters.isEmpty == true, "a copy with fewer parameters than its original")
    return result
  }

  /// Declares a state of the present scope that moves towards a statistic of the batch.
  public mutating func state(_ name: String, _ shape: Shape, initial: Float, momentum: Float) -> ModelState {
    state(name, shape, .constant(initial), .statistic(momentum: momentum))
  }

  /// Declares a state of the present scope.
  public mutating func state(
    _ name: String, _ shape: Shape, _ initialiser: Initialiser, _ motion: ModelState.Motion
  ) -> ModelState {
    let start = layout.stateCount
    var statistic: Range<Int>?
    if case .statistic = motion {
      let first = layout.statisticCount
      statistic = first..<first + shape.count
    }
    let state = ModelState(
      name: qualified(name), shape: shape, range: start..<start + shape.count, initialiser: initialiser, motion: motion,
      statistic: statistic)
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

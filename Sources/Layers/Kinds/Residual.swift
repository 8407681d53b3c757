import Configuration
import Tensors

/// x + f(x), or s(x) + f(x) where a shortcut changes the shape (He et al. 2016).
public struct Residual: Layer {
  /// What the inner layers make.
  public let output: Signal
  let inner: Sequential
  let shortcut: Sequential?
  /// A nonlinear function of its input.
  public var endsBlock: Bool { true }

  /// Precondition: both paths make the same shape.
  init(_ inner: Sequential, shortcut: Sequential? = nil, input: Signal) {
    precondition((shortcut?.output ?? input) == inner.output, "residual of \(inner.output) and \(input)")
    self.inner = inner
    self.shortcut = shortcut
    output = inner.output
  }

  /// Both paths and their sum.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let around = shortcut.map { path in recorder.scope("shortcut") { path.record(x, recorder) } } ?? x
    return recorder.add(inner.record(x, recorder), around)
  }

  /// Both paths made again, which must make the same shape.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    let inner = try inner.layers(for: input, stride: stride, in: &scope)
    let shortcut = try shortcut.map { path throws(ConfigurationError) in
      try scope.nested("shortcut") { (scope: inout ParameterScope) throws(ConfigurationError) in
        try path.layers(for: input, stride: stride, in: &scope)
      }
    }
    let around = shortcut?.output ?? input
    guard around == inner.output else {
      throw ConfigurationError("residual: for \(input) its layers make \(inner.output) but the other path \(around)")
    }
    return Residual(inner, shortcut: shortcut, input: input)
  }

  static let kind = LayerKind("residual", shorthand: "layers", "Adds its input to what its layers make of it.") {
    (options, input, scope) throws(ConfigurationError) in
    if options.isDocumenting {
      _ = options.node("layers", "the layers")
      _ = options.node("shortcut", "layers on the other path, where the shape changes; none unless given")
      return Residual(Sequential([], input: input), input: input)
    }
    let inner = try options.layers("layers", "the layers", input, &scope)
    var shortcut: Sequential?
    if options.has("shortcut") {
      shortcut = try scope.nested("shortcut") { (scope: inout ParameterScope) throws(ConfigurationError) in
        try options.layers("shortcut", "layers on the other path", input, &scope)
      }
    }
    let around = shortcut?.output ?? input
    guard around == inner.output else {
      throw options.error(
        "residual: the layers make \(inner.output) but the other path \(around); give a `shortcut` that fits",
        key: "layers")
    }
    return Residual(inner, shortcut: shortcut, input: input)
  }
}

/// Several lists of layers on one input, their results concatenated along the last axis.
public struct Parallel: Layer {
  /// All channels of all branches.
  public let output: Signal
  let branches: [Sequential]
  /// Whether any branch has a nonlinearity.
  public var endsBlock: Bool { branches.contains { $0.layers.contains { $0.layer.endsBlock } } }

  /// Every branch, then one concatenation.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.concatenate(
      branches.enumerated().map { index, branch in
        recorder.scope("\(index)") { branch.record(x, recorder) }
      })
  }

  /// Every branch made again, which must agree before the last axis.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    var made: [Sequential] = []
    for (index, branch) in branches.enumerated() {
      made.append(
        try scope.nested("\(index)") { (scope: inout ParameterScope) throws(ConfigurationError) in
          try branch.layers(for: input, stride: stride, in: &scope)
        })
    }
    let leading = made.map { $0.output.shape.dimensions.dropLast() }
    guard leading.allSatisfy({ $0 == leading[0] }) else {
      throw ConfigurationError("parallel: for \(input) the branches differ before the last axis")
    }
    let channels = made.reduce(0) { $0 + $1.output.shape[-1] }
    return Parallel(output: made[0].output.with(features: channels), branches: made)
  }

  static let kind = LayerKind(
    "parallel", shorthand: "branches", "Several lists of layers on one input, concatenated along the last axis."
  ) { (options, input, scope) throws(ConfigurationError) in
    let path = "\(options.keyPath).branches"
    guard let node = options.node("branches", "a list of lists of layers"), let items = node.items, !items.isEmpty
    else {
      throw options.error("\(path) is missing; expected a list of lists of layers")
    }
    var branches: [Sequential] = []
    for (index, item) in items.enumerated() {
      guard let nodes = item.items else {
        throw ConfigurationError("\(path).\(index) is no list; expected a list of layers", at: item.place)
      }
      let branch = try scope.nested("\(index)") { (scope: inout ParameterScope) throws(ConfigurationError) in
        try Sequential.read(nodes, path: "\(path).\(index)", input: input, scope: &scope).layers
      }
      try branch.output.requireNumbers(for: "parallel")
      branches.append(branch)
    }
    let leading = branches.map { $0.output.shape.dimensions.dropLast() }
    guard leading.allSatisfy({ $0 == leading[0] }) else {
      throw ConfigurationError(
        "parallel: the branches make \(branches.map { "\($0.output)" }.joined(separator: ", ")), which differ before the last axis",
        at: node.place)
    }
    let channels = branches.reduce(0) { $0 + $1.output.shape[-1] }
    return Parallel(output: branches[0].output.with(features: channels), branches: branches)
  }
}

extension Options {
  /// Reads a nested list of layers.
  mutating func layers(
    _ key: String, _ help: String, _ input: Signal, _ scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    guard let node = node(key, help), let items = node.items, !items.isEmpty else {
      throw error("\(keyPath).\(key) is missing; expected a list of layers", key: key)
    }
    let read = try Sequential.read(items, path: "\(keyPath).\(key)", input: input, scope: &scope)
    resolve(key, as: .list(read.resolved))
    return read.layers
  }
}

import Configuration
import Tensors

/// Batch normalisation over the last axis (Ioffe and Szegedy 2015): each shard by its own mean and variance, or where
/// `synchronised` all shards by those of the whole batch, for which they meet twice a step; running statistics, which
/// evaluation uses, move once a step by the sample-weighted mean over shards.
public struct BatchNorm: Layer {
  /// The input's shape.
  public let output: Signal
  package let weight: Parameter?
  package let bias: Parameter?
  let mean: ModelState
  package let variance: ModelState
  package let epsilon: Float
  let momentum: Float
  let synchronised: Bool

  /// Declares weight (1) and bias (0) where `affine`, running mean (0) and variance (1).
  public init(
    _ input: Signal, epsilon: Float = 1e-5, momentum: Float = 0.1, affine: Bool = true, synchronised: Bool = false,
    in scope: inout ParameterScope
  ) {
    let channels = input.shape[-1]
    weight = affine ? scope.parameter("weight", [channels], .constant(1)) : nil
    bias = affine ? scope.parameter("bias", [channels], .constant(0)) : nil
    mean = scope.state("running_mean", [channels], initial: 0, momentum: momentum)
    variance = scope.state("running_var", [channels], initial: 1, momentum: momentum)
    self.epsilon = epsilon
    self.momentum = momentum
    self.synchronised = synchronised
    output = input
  }

  /// Statistics of the batch in training, running ones in evaluation.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.batchNorm(
      x, weight: weight.map(recorder.parameter), bias: bias.map(recorder.parameter), mean: mean, variance: variance,
      epsilon: epsilon, synchronised: synchronised)
  }

  /// The same of as many channels as there are.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    BatchNorm(
      input, epsilon: epsilon, momentum: momentum, affine: weight != nil, synchronised: synchronised, in: &scope)
  }

  /// Reads the key `synchronised` of a layer, or of a model that has such layers.
  static func readSynchronised(_ options: inout Options) throws(ConfigurationError) -> Bool {
    try options.flag(
      "synchronised", default: false,
      "batch normalisation over the whole batch instead of each shard: shards meet at every layer, and a rank keeps the "
        + "activations of all its shards at once")
  }

  static let kind = LayerKind("batch-norm", "Normalises each channel over the samples of a shard, or of the batch.") {
    (options, input, scope) throws(ConfigurationError) in
    try input.requireNumbers(for: "batch-norm")
    let epsilon = try options.number("epsilon", default: 1e-5, in: .positive, "added to the variance")
    let momentum = try options.number(
      "momentum", default: 0.1, in: .fraction, "share of the newest batch in the running statistics")
    let affine = try options.flag("affine", default: true, "whether weight and bias are learned")
    let synchronised = try readSynchronised(&options)
    return BatchNorm(
      input, epsilon: Float(epsilon), momentum: Float(momentum), affine: affine, synchronised: synchronised, in: &scope)
  }
}

/// Layer normalisation over the last axis (Ba, Kiros, Hinton 2016).
public struct LayerNorm: Layer {
  /// The input's shape.
  public let output: Signal
  let weight: Parameter?
  let bias: Parameter?
  let epsilon: Float

  /// Declares weight (1) and bias (0) where `affine`.
  public init(_ input: Signal, epsilon: Float = 1e-5, affine: Bool = true, in scope: inout ParameterScope) {
    let width = input.shape[-1]
    weight = affine ? scope.parameter("weight", [width], .constant(1)) : nil
    bias = affine ? scope.parameter("bias", [width], .constant(0)) : nil
    self.epsilon = epsilon
    output = input
  }

  /// One pass over the rows.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.layerNorm(
      x, weight: weight.map(recorder.parameter), bias: bias.map(recorder.parameter), epsilon: epsilon)
  }

  /// The same of any width.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    LayerNorm(input, epsilon: epsilon, affine: weight != nil, in: &scope)
  }

  static let kind = LayerKind("layer-norm", "Normalises the last axis of each sample.") {
    (options, input, scope) throws(ConfigurationError) in
    try input.requireNumbers(for: "layer-norm")
    let epsilon = try options.number("epsilon", default: 1e-5, in: .positive, "added to the variance")
    let affine = try options.flag("affine", default: true, "whether weight and bias are learned")
    return LayerNorm(input, epsilon: Float(epsilon), affine: affine, in: &scope)
  }
}

/// Group normalisation (Wu and He 2018): channels in groups, each over all pixels of a sample.
public struct GroupNorm: Layer {
  /// The input's shape.
  public let output: Signal
  let weight: Parameter?
  let bias: Parameter?
  let groups: Int
  let epsilon: Float

  /// Declares weight (1) and bias (0) where `affine`.
  public init(
    _ input: Signal, groups: Int, epsilon: Float = 1e-5, affine: Bool = true, in scope: inout ParameterScope
  ) {
    let channels = input.shape[-1]
    precondition(channels % groups == 0, "\(groups) groups of \(channels) channels")
    weight = affine ? scope.parameter("weight", [channels], .constant(1)) : nil
    bias = affine ? scope.parameter("bias", [channels], .constant(0)) : nil
    self.groups = groups
    self.epsilon = epsilon
    output = input
  }

  /// One pass over the images.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.groupNorm(
      x, groups: groups, weight: weight.map(recorder.parameter), bias: bias.map(recorder.parameter), epsilon: epsilon)
  }

  /// As many groups, which must divide the channels.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    guard input.shape[-1] % groups == 0 else {
      throw ConfigurationError("group-norm: \(groups) groups do not divide \(input.shape[-1]) channels")
    }
    return GroupNorm(input, groups: groups, epsilon: epsilon, affine: weight != nil, in: &scope)
  }

  static let kind = LayerKind("group-norm", shorthand: "groups", "Normalises groups of channels of each sample.") {
    (options, input, scope) throws(ConfigurationError) in
    try input.requireNumbers(for: "group-norm")
    let groups = try options.integer("groups", in: 1...1 << 20, "groups of channels")
    let epsilon = try options.number("epsilon", default: 1e-5, in: .positive, "added to the variance")
    let affine = try options.flag("affine", default: true, "whether weight and bias are learned")
    let channels = input.shape[-1]
    guard channels % groups == 0 else {
      throw options.error("group-norm: \(groups) groups do not divide \(channels) channels", key: "groups")
    }
    return GroupNorm(input, groups: groups, epsilon: Float(epsilon), affine: affine, in: &scope)
  }
}

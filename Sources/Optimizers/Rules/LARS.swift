import Configuration

/// Layer-wise adaptive rates for large batches (You, Gitman & Ginsburg 2017, algorithm 1).
///
///     λ ← trust · ‖w‖ / (‖g‖ + decay · ‖w‖)      of each parameter, eq. 6
///     m ← momentum · m + rate · λ · (g + decay · w)
///     w ← w − m
///
/// Norms are Float64 over blocks of 4,096 scalars from the parameter's start (``ParameterNorms``).  Beyond the paper: λ is 1
/// where ‖w‖ or ‖g‖ is zero, and parameters of one axis (biases, normalisation) take λ = 1 and no decay unless told otherwise.
public struct LARS: UpdateRule {
  /// What configurations call it.
  public static let name = "lars"
  /// What it does, in a sentence.
  public static let help = "SGD with a rate for each parameter tensor, for large batches (You et al. 2017)"
  /// At which a layer moves by `trust` of its norm in the first step.
  public static let defaultLearningRate = 1.0

  let momentum: Double
  let weightDecay: Double
  let trust: Double
  let excludesVectors: Bool

  /// The rule with the paper's momentum, decay and trust.
  public init(
    momentum: Double = 0.9, weightDecay: Double = 5e-4, trust: Double = 1e-3, excludesVectors: Bool = true
  ) {
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.trust = trust
    self.excludesVectors = excludesVectors
  }

  /// Reads the rule's keys.
  public init(options: inout Options) throws(ConfigurationError) {
    momentum = try options.number(
      "momentum", default: 0.9, in: .fractionBelowOne, "How much of the last step's motion is kept.")
    weightDecay = try options.weightDecay(default: 5e-4)
    trust = try options.number(
      "trust", default: 1e-3, in: .positive, "How far a parameter moves in a step, as a share of its norm, at rate 1.")
    excludesVectors = try options.flag(
      "exclude-vectors", default: true,
      "Parameters of one axis (biases, normalisation) take the learning rate as it is, and no decay.")
  }

  /// m.
  public var stateNames: [String] { ["momentum"] }
  /// It needs ‖w‖ and ‖g‖ of each parameter.
  public var isLayerwise: Bool { true }

  /// Moves the parameters of a slice as above.
  public func update(_ slice: UpdateSlice) {
    guard let layer = slice.layer else { preconditionFailure("lars needs the norms of whole parameters") }
    let isExcluded = excludesVectors && layer.axes <= 1
    let rate = slice.learningRate * (isExcluded ? 1 : ratio(layer))
    LARS.update(
      slice.parameters, slice.gradients, slice.state(0), scale: slice.gradientScale,
      decay: isExcluded ? 0 : Float(weightDecay), rate: Float(rate), momentum: Float(momentum), slice.count)
  }

  /// λ of eq. 6; not a number where a norm is none.
  private func ratio(_ layer: UpdateSlice.Layer) -> Double {
    if layer.parameterNorm == 0 || layer.gradientNorm == 0 { return 1 }
    return trust * layer.parameterNorm / (layer.gradientNorm + weightDecay * layer.parameterNorm)
  }

  @inline(never)
  private static func update(
    _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>, scale: Float,
    decay: Float, rate: Float, momentum: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      let motion = momentum * m[i] + rate * (scale * g[i] + decay * w[i])
      m[i] = motion
      w[i] = w[i] - motion
      i &+= 1
    }
  }
}

import Configuration
import Glibc

/// Adaptive moments (Kingma & Ba 2015, algorithm 1), as PyTorch's `Adam`.
///
///     g ← scale · g + decay · w                            coupled decay
///     w ← (1 − rate · decay) · w                           decoupled decay instead (``AdamW``)
///     m ← m + (1 − β₁)(g − m)        v ← β₂ · v + (1 − β₂) · g²
///     w ← w − rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
///
/// t counts updates from 1.  Corrections are computed in Float64, the rest in Float32.
public struct Adam: UpdateRule {
  /// What configurations call it.
  public static let name = "adam"
  /// What it does, in a sentence.
  public static let help = "Adam: steps scaled by running means of gradients and their squares (Kingma & Ba 2015)"
  /// PyTorch's.
  public static let defaultLearningRate = 1e-3

  /// β₁.
  public let beta1: Double
  /// β₂.
  public let beta2: Double
  /// ε.
  public let epsilon: Double
  /// Pull of every weight towards zero.
  public let weightDecay: Double
  let decoupled: Bool

  /// The rule with PyTorch's defaults.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0,
    decoupled: Bool = false
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decoupled = decoupled
  }

  /// Reads the rule's keys.
  public init(options: inout Options) throws(ConfigurationError) {
    try self.init(options: &options, weightDecay: 0, decoupled: false)
  }

  init(options: inout Options, weightDecay: Double, decoupled: Bool) throws(ConfigurationError) {
    beta1 = try options.number(
      "beta1", default: 0.9, in: .fractionBelowOne, "Share of the old mean of gradients kept at each step.")
    beta2 = try options.number(
      "beta2", default: 0.999, in: .fractionBelowOne, "Share of the old mean of squared gradients kept at each step.")
    epsilon = try options.epsilon()
    self.weightDecay = try options.weightDecay(default: weightDecay)
    self.decoupled = decoupled
  }

  /// m and v.
  public var stateNames: [String] { ["first-moment", "second-moment"] }

  /// Moves the parameters of a slice as above.
  public func update(_ slice: UpdateSlice) {
    let t = Double(slice.step + 1)
    let rate = slice.learningRate
    let numbers = Numbers(
      scale: slice.gradientScale, decay: decoupled ? 0 : Float(weightDecay),
      keep: decoupled ? Float(1 - rate * weightDecay) : 1, fresh1: Float(1 - beta1), beta2: Float(beta2),
      fresh2: Float(1 - beta2), rate: Float(rate / (1 - pow(beta1, t))),
      correction: Float(1 / (1 - pow(beta2, t)).squareRoot()), epsilon: Float(epsilon))
    Adam.update(
      numbers, slice.parameters, slice.gradients, slice.state(0), slice.state(1), slice.count)
  }
}

// MARK: - Loop

extension Adam {
  private struct Numbers {
    let scale: Float
    let decay: Float
    /// 1 − rate · decay when decoupled.
    let keep: Float
    /// 1 − β₁
    let fresh1: Float
    let beta2: Float
    /// 1 − β₂
    let fresh2: Float
    /// rate / (1 − β₁ᵗ)
    let rate: Float
    /// 1 / √(1 − β₂ᵗ)
    let correction: Float
    let epsilon: Float
  }

  @inline(never)
  private static func update(
    _ n: Numbers, _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ v: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let gradient = n.scale * g[i] + n.decay * w[i]
      let first = m[i] + n.fresh1 * (gradient - m[i])
      let second = n.beta2 * v[i] + n.fresh2 * gradient * gradient
      m[i] = first
      v[i] = second
      w[i] = n.keep * w[i] - n.rate * (first / (second.nonNegativeRoot * n.correction + n.epsilon))
      i &+= 1
    }
  }
}

import Configuration

/// Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013), as PyTorch's
/// `SGD` without dampening.
///
///     g ← scale · g + decay · w        coupled decay
///     w ← (1 − rate · decay) · w       decoupled decay instead
///     m ← momentum · m + g
///     w ← w − rate · m                 nesterov: w − rate · (g + momentum · m)
public struct SGD: UpdateRule {
  /// What configurations call it.
  public static let name = "sgd"
  /// What it does, in a sentence.
  public static let help = "stochastic gradient descent, with momentum or without"
  /// PyTorch's.
  public static let defaultLearningRate = 1e-3

  /// How much of the last step's motion is kept.
  public let momentum: Double
  /// Whether the update looks ahead.
  public let nesterov: Bool
  /// Pull of every weight towards zero.
  public let weightDecay: Double
  /// Whether that pull goes around gradient and momentum.
  public let decoupled: Bool

  /// The rule with PyTorch's defaults.
  public init(momentum: Double = 0, nesterov: Bool = false, weightDecay: Double = 0, decoupled: Bool = false) {
    precondition(!nesterov || momentum > 0, "Nesterov's update without momentum")
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.decoupled = decoupled
  }

  /// Reads the rule's keys.
  public init(options: inout Options) throws(ConfigurationError) {
    momentum = try options.number(
      "momentum", default: 0, in: .fractionBelowOne, "How much of the last step's motion is kept.")
    nesterov = try options.flag("nesterov", default: false, "Looks ahead by the momentum (Nesterov's update).")
    weightDecay = try options.weightDecay(default: 0)
    decoupled = try options.flag(
      "decoupled", default: false,
      "Shrinks weights by learning rate × decay directly, not by way of gradient and momentum.")
    try options.require(
      !nesterov || momentum > 0, key: "nesterov",
      "\(options.keyPath).nesterov needs momentum; set `momentum` above 0, or `nesterov: false`")
  }

  /// m, with momentum only.
  public var stateNames: [String] { momentum > 0 ? ["momentum"] : [] }

  /// Moves the parameters of a slice as above.
  public func update(_ slice: UpdateSlice) {
    let numbers = Numbers(
      scale: slice.gradientScale, decay: decoupled ? 0 : Float(weightDecay),
      keep: decoupled ? Float(1 - slice.learningRate * weightDecay) : 1, momentum: Float(momentum),
      rate: Float(slice.learningRate))
    let (w, g, count) = (slice.parameters, slice.gradients, slice.count)
    if momentum == 0 {
      SGD.plain(numbers, w, g, count)
    } else if nesterov {
      SGD.nesterov(numbers, w, g, slice.state(0), count)
    } else {
      SGD.momentum(numbers, w, g, slice.state(0), count)
    }
  }
}

// MARK: - Loops

extension SGD {
  private struct Numbers {
    let scale: Float
    let decay: Float
    /// 1 − rate · decay when decoupled.
    let keep: Float
    let momentum: Float
    let rate: Float
  }

  @inline(never)
  private static func plain(
    _ n: Numbers, _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let gradient = n.scale * g[i] + n.decay * w[i]
      w[i] = n.keep * w[i] - n.rate * gradient
      i &+= 1
    }
  }

  @inline(never)
  private static func momentum(
    _ n: Numbers, _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      let gradient = n.scale * g[i] + n.decay * w[i]
      let motion = n.momentum * m[i] + gradient
      m[i] = motion
      w[i] = n.keep * w[i] - n.rate * motion
      i &+= 1
    }
  }

  @inline(never)
  private static func nesterov(
    _ n: Numbers, _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      let gradient = n.scale * g[i] + n.decay * w[i]
      let motion = n.momentum * m[i] + gradient
      m[i] = motion
      w[i] = n.keep * w[i] - n.rate * (gradient + n.momentum * motion)
      i &+= 1
    }
  }
}

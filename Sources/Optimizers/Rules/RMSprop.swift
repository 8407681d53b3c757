import Configuration

/// Gradients over the root of their mean square (Tieleman & Hinton 2012, lecture 6.5; centred as in Graves 2013, eq. 38–45), as
/// PyTorch's `RMSprop`.
///
///     g ← scale · g + decay · w
///     s ← α · s + (1 − α) · g²
///     a ← a + (1 − α)(g − a)           centered only; then s − a² stands for s below
///     d ← g / (√s + ε)
///     m ← momentum · m + d             with momentum; then m stands for d below
///     w ← w − rate · d
///
/// Deviates from PyTorch where rounding makes s − a² negative: it counts as 0, not as a root that is no number.
public struct RMSprop: UpdateRule {
  /// What configurations call it.
  public static let name = "rmsprop"
  /// What it does, in a sentence.
  public static let help = "steps scaled by a running mean of squared gradients (Hinton 2012)"
  /// PyTorch's.
  public static let defaultLearningRate = 1e-2

  let alpha: Double
  let epsilon: Double
  let momentum: Double
  let centered: Bool
  let weightDecay: Double

  /// The rule with PyTorch's defaults.
  public init(
    alpha: Double = 0.99, epsilon: Double = 1e-8, momentum: Double = 0, centered: Bool = false, weightDecay: Double = 0
  ) {
    self.alpha = alpha
    self.epsilon = epsilon
    self.momentum = momentum
    self.centered = centered
    self.weightDecay = weightDecay
  }

  /// Reads the rule's keys.
  public init(options: inout Options) throws(ConfigurationError) {
    alpha = try options.number(
      "alpha", default: 0.99, in: .fractionBelowOne, "Share of the old mean of squared gradients kept at each step.")
    epsilon = try options.epsilon()
    momentum = try options.number(
      "momentum", default: 0, in: .fractionBelowOne, "How much of the last step's motion is kept.")
    centered = try options.flag(
      "centered", default: false, "Divides by the standard deviation of gradients, not the root of their mean square.")
    weightDecay = try options.weightDecay(default: 0)
  }

  /// s, then a when centered, then m with momentum.
  public var stateNames: [String] {
    ["square-average"] + (centered ? ["gradient-average"] : []) + (momentum > 0 ? ["momentum"] : [])
  }

  /// Moves the parameters of a slice as above.
  public func update(_ slice: UpdateSlice) {
    // One loop over five arrays would need more overlap checks than the compiler makes for vector code, so short loops
    // work on tiles that stay in the first-level cache: each array still crosses the memory bus once.
    let (fresh, rate, epsilon) = (Float(1 - alpha), Float(slice.learningRate), Float(epsilon))
    let squares = slice.state(0)
    let means = centered ? slice.state(1) : nil
    let motion = momentum > 0 ? slice.state(centered ? 2 : 1) : nil
    withUnsafeTemporaryAllocation(of: Float.self, capacity: RMSprop.tile) { tile in
      guard let d = tile.baseAddress else { return }
      var first = 0
      while first < slice.count {
        let count = min(RMSprop.tile, slice.count - first)
        let (w, s) = (slice.parameters + first, squares + first)
        RMSprop.gradient(
          slice.gradients + first, w, scale: slice.gradientScale, decay: Float(weightDecay), into: d, count)
        RMSprop.average(squaresOf: d, into: s, keep: Float(alpha), fresh: fresh, count)
        if let means {
          RMSprop.average(d, into: means + first, fresh: fresh, count)
          RMSprop.normalise(d, by: s, means + first, epsilon, count)
        } else {
          RMSprop.normalise(d, by: s, epsilon, count)
        }
        if let motion {
          RMSprop.move(w, along: d, motion + first, Float(momentum), rate, count)
        } else {
          RMSprop.move(w, along: d, rate, count)
        }
        first += RMSprop.tile
      }
    }
  }

  /// Scalars of a tile: 1 KiB, which temporary allocation keeps on the stack.
  private static let tile = 256
}

// MARK: - Loops

extension RMSprop {
  @inline(never)
  private static func gradient(
    _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, scale: Float, decay: Float,
    into d: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      d[i] = scale * g[i] + decay * w[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func average(
    squaresOf d: UnsafePointer<Float>, into s: UnsafeMutablePointer<Float>, keep: Float, fresh: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      s[i] = keep * s[i] + fresh * d[i] * d[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func average(
    _ d: UnsafePointer<Float>, into a: UnsafeMutablePointer<Float>, fresh: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      a[i] = a[i] + fresh * (d[i] - a[i])
      i &+= 1
    }
  }

  @inline(never)
  private static func normalise(
    _ d: UnsafeMutablePointer<Float>, by s: UnsafePointer<Float>, _ epsilon: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      d[i] = d[i] / (s[i].nonNegativeRoot + epsilon)
      i &+= 1
    }
  }

  @inline(never)
  private static func normalise(
    _ d: UnsafeMutablePointer<Float>, by s: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ epsilon: Float,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      let variance = s[i] - a[i] * a[i]
      d[i] = d[i] / (variance.nonNegativeRoot + epsilon)
      i &+= 1
    }
  }

  @inline(never)
  private static func move(
    _ w: UnsafeMutablePointer<Float>, along d: UnsafePointer<Float>, _ rate: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      w[i] = w[i] - rate * d[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func move(
    _ w: UnsafeMutablePointer<Float>, along d: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ momentum: Float, _ rate: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      let motion = momentum * m[i] + d[i]
      m[i] = motion
      w[i] = w[i] - rate * motion
      i &+= 1
    }
  }
}

import Configuration

/// A linear rise of the learning rate over the first steps (Goyal et al. 2017, section 2.2), as PyTorch's `LinearLR`: it multiplies
/// what the schedule says with start + (1 − start) · step / steps.
public struct Warmup: Sendable, Hashable {
  /// How long it takes.
  public enum Length: Sendable, Hashable {
    /// Epochs, fractions allowed; rounded to whole steps.
    case epochs(Double)
    /// Updates.
    case steps(Int)
  }

  /// How long it takes.
  public let length: Length
  /// The share of the rate that it starts from.
  public let start: Double

  /// No warm-up.
  public static let none = Warmup(.steps(0))

  /// A warm-up of a length that starts from a share of the rate.
  public init(_ length: Length, start: Double = 0.01) {
    self.length = length
    self.start = start
  }

  /// Reads `warmup`, `warmup-steps` and `warmup-start`.
  init(options: inout Options) throws(ConfigurationError) {
    let epochs = try options.number(
      "warmup", default: 0, in: .nonNegative, unit: "epochs",
      "How long the rate rises linearly at the start; fractions are allowed.")
    let steps = try options.optionalInteger(
      "warmup-steps", in: 0...Int.max, unit: "steps", "The same in updates, in place of `warmup`.")
    start = try options.number(
      "warmup-start", default: 0.01, in: .fraction, "Share of the rate that the warm-up starts from.")
    try options.require(
      steps == nil || epochs == 0, key: "warmup-steps",
      "\(options.keyPath) has both `warmup` (epochs) and `warmup-steps`; keep one")
    length = steps.map(Length.steps) ?? .epochs(epochs)
  }

  /// Whether there is any.
  public var isEmpty: Bool { length == .epochs(0) || length == .steps(0) }

  /// How many steps it takes.
  public func steps(stepsPerEpoch: Int) -> Int {
    switch length {
    case .steps(let steps): steps
    // Beyond 2⁵³ nothing is a step any more, and the conversion must not trap.
    case .epochs(let epochs): Int(min((epochs * Double(stepsPerEpoch)).rounded(), 0x1p53))
    }
  }

  /// The share of the schedule's rate at a moment.
  func share(at moment: TrainingMoment) -> Double {
    if moment.step >= moment.warmupSteps { return 1 }
    return start + (1 - start) * Double(moment.step) / Double(moment.warmupSteps)
  }
}

/// The range a number must lie in.
public struct Bounds: Sendable, Hashable {
  /// The least value, -∞ for none.
  public let lower: Double
  /// The greatest value, ∞ for none.
  public let upper: Double
  /// Whether `lower` itself is allowed.
  public let includesLower: Bool
  /// Whether `upper` itself is allowed.
  public let includesUpper: Bool

  /// A range with ends that belong to it or not.  Infinite values and NaN never belong.
  /// Precondition: some number lies inside.
  public init(lower: Double, upper: Double, includesLower: Bool = true, includesUpper: Bool = true) {
    precondition(
      lower < upper || (lower == upper && includesLower && includesUpper), "no number from \(lower) to \(upper)")
    self.lower = lower
    self.upper = upper
    self.includesLower = includesLower
    self.includesUpper = includesUpper
  }

  /// Any finite number.
  public static let finite = Bounds(lower: -.infinity, upper: .infinity)
  /// Above 0.
  public static let positive = Bounds(lower: 0, upper: .infinity, includesLower: false)
  /// At least 0.
  public static let nonNegative = Bounds(lower: 0, upper: .infinity)
  /// From 0 to 1, both included.
  public static let fraction = Bounds(lower: 0, upper: 1)
  /// Between 0 and 1, both excluded.
  public static let open01 = Bounds(lower: 0, upper: 1, includesLower: false, includesUpper: false)
  /// From 0, included, to 1, excluded: momentum, dropout.
  public static let fractionBelowOne = Bounds(lower: 0, upper: 1, includesUpper: false)
  /// From 0, excluded, to 1, included: a share that may be all.
  public static let positiveFraction = Bounds(lower: 0, upper: 1, includesLower: false)
  /// At least `lower`.
  public static func atLeast(_ lower: Double) -> Bounds { Bounds(lower: lower, upper: .infinity) }
  /// Above `lower`.
  public static func above(_ lower: Double) -> Bounds { Bounds(lower: lower, upper: .infinity, includesLower: false) }
  /// From `lower` to `upper`, both included.
  public static func between(_ lower: Double, _ upper: Double) -> Bounds { Bounds(lower: lower, upper: upper) }

  /// Whether a number is finite and lies inside.
  public func contains(_ value: Double) -> Bool {
    value.isFinite && (includesLower ? value >= lower : value > lower)
      && (includesUpper ? value <= upper : value < upper)
  }

  /// `at least 0`, `from 0 to 1`; empty for any finite number.
  public var text: String {
    let a = Bounds.text(lower)
    let b = Bounds.text(upper)
    switch (lower.isFinite, upper.isFinite) {
    case (false, false): return ""
    case (true, false): return includesLower ? "at least \(a)" : "above \(a)"
    case (false, true): return includesUpper ? "at most \(b)" : "below \(b)"
    case (true, true):
      switch (includesLower, includesUpper) {
      case (true, true): return "from \(a) to \(b)"
      case (true, false): return "at least \(a) and below \(b)"
      case (false, true): return "above \(a) and at most \(b)"
      case (false, false): return "above \(a) and below \(b)"
      }
    }
  }

  /// Some number inside, a plain one where there is one.
  var standIn: Double {
    for candidate in [1, 0.5, 0] where contains(candidate) { return candidate }
    if lower.isFinite, upper.isFinite { return lower == upper ? lower : lower / 2 + upper / 2 }
    return lower.isFinite ? max(lower + 1, lower.nextUp) : min(upper - 1, upper.nextDown)
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}

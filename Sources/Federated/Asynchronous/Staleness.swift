import Configuration
import Glibc

/// How much less an update counts that was trained on an older version of the model: s(τ), 1 for none.
public enum Staleness: Sendable, Hashable {
  /// (1 + τ)^−a
  case polynomial(exponent: Double)
  /// 1
  case constant
  /// 1 up to b, then 1 / (a · (τ − b) + 1)
  case hinge(slope: Double, threshold: Int)

  /// What an update weighs that is not stale: weights are whole numbers, so that sums of them are exact.
  public static let unit = 1 << 16

  static let names = ["polynomial", "constant", "hinge"]

  /// Reads the key.
  static func read(_ options: inout Options) throws(ConfigurationError) -> Staleness {
    try options.named(
      "staleness", of: names, default: names[0],
      "how much less an update counts whose model is τ updates old: (1 + τ)^−exponent, always the same, or 1 up to a threshold"
    ) { (name, options) throws(ConfigurationError) in
      switch name {
      case "constant": return .constant
      case "hinge":
        return .hinge(
          slope: try options.number(
            "slope", default: 10, in: .positive, "a in 1 / (a · (τ − threshold) + 1), which holds beyond the threshold"),
          threshold: try options.integer(
            "threshold", default: 4, in: 0...1_000_000, unit: "updates", "age up to which updates count in full"))
      default:
        return .polynomial(
          exponent: try options.number("exponent", default: 0.5, in: .nonNegative, "a in (1 + τ)^−a"))
      }
    }
  }

  /// s(τ).
  public func callAsFunction(_ age: Int) -> Double {
    precondition(age >= 0, "an update from the future")
    switch self {
    case .polynomial(let exponent): return pow(1 + Double(age), -exponent)
    case .constant: return 1
    case .hinge(let slope, let threshold): return age <= threshold ? 1 : 1 / (slope * Double(age - threshold) + 1)
    }
  }
}

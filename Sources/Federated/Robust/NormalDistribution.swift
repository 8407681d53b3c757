import Glibc

/// The standard normal distribution in Float64.
enum NormalDistribution {
  /// Φ(x), with its relative precision in the lower tail.
  static func share(below x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// The x with Φ(x) = p, for 0 < p < 1: Halley's steps from the tail's or the logistic approximation.
  static func quantile(_ p: Double) -> Double {
    precondition(p > 0 && p < 1, "the quantile of \(p)")
    if p > 0.5 { return -quantile(1 - p) }
    var x = p < 0.02 ? -(-2 * log(p)).squareRoot() : log(p / (1 - p)) / 1.702
    for _ in 0..<50 {
      let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
      let step = (share(below: x) - p) / density
      let next = x - step / (1 + x * step / 2)
      if abs(next - x) <= 1e-15 * abs(x) { return next }
      x = next
    }
    return x
  }
}

import Glibc

/// Sums of numbers that only their logarithms can hold.
enum LogSpace {
  /// log(e^a + e^b).
  static func add(_ a: Double, _ b: Double) -> Double {
    let (low, high) = a < b ? (a, b) : (b, a)
    return low == -.infinity ? high : high + log1p(exp(low - high))
  }

  /// log(e^a − e^b) for a ≥ b; rounding that turns the order round counts as 0.
  static func subtract(_ a: Double, _ b: Double) -> Double {
    if b == -.infinity { return a }
    return a <= b ? -.infinity : a + log1p(-exp(b - a))
  }

  /// log erfc(x), by the asymptotic series where erfc itself nears the end of Float64.
  static func erfc(_ x: Double) -> Double {
    if x < 20 { return log(Glibc.erfc(x)) }
    let y = 1 / (x * x)
    return -x * x - log(x) - 0.5 * log(Double.pi) + log1p(y * (-0.5 + y * (0.75 + y * (-1.875 + y * 6.5625))))
  }

  /// log C(n, k).
  static func binomial(_ n: Double, _ k: Double) -> Double {
    logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
  }

  private static func logGamma(_ x: Double) -> Double {
    var sign: Int32 = 0  // the function that keeps no global sign, which threads would share
    return lgamma_r(x, &sign)
  }
}

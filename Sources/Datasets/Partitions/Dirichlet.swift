import Glibc
import Tensors

extension RandomStream {
  /// The logarithm of a Gamma(shape, 1) number, times min(1, shape), in Float64.
  ///
  /// G. Marsaglia, W. W. Tsang (ACM TOMS 2000) for a shape of at least 1; below, Gamma(a) = Gamma(a + 1)·U^(1/a) (their
  /// section 6).  U^(1/a) underflows for small a, so it is kept as the logarithm, and that times a, which is finite for
  /// every a > 0.
  mutating func scaledLogGamma(_ shape: Double) -> Double {
    if shape < 1 { return shape * logGamma(shape + 1) + log(1 - uniformDouble()) }
    return logGamma(shape)
  }

  private mutating func logGamma(_ shape: Double) -> Double {
    let d = shape - 1.0 / 3
    let c = 1 / (3 * d.squareRoot())
    while true {
      let x = normalDouble()
      let t = 1 + c * x
      guard t > 0 else { continue }
      let v = t * t * t
      if log(1 - uniformDouble()) < 0.5 * x * x + d * (1 - v + log(v)) { return log(d) + log(v) }
    }
  }

  /// Shares of `count` clients that sum to 1, from Dir(alpha·1); those `without` get none.  Of every alpha > 0: towards 0 one
  /// client takes all, towards infinity all the same.  Precondition: some client is not excluded.
  mutating func dirichlet(_ alpha: Double, count: Int, without: (Int) -> Bool = { _ in false }) -> [Double] {
    var shares = (0..<count).map { _ in scaledLogGamma(alpha) }
    for client in 0..<count where without(client) { shares[client] = -.infinity }
    guard let most = shares.max(), most > -.infinity else { preconditionFailure("shares for nobody") }
    let scale = min(1, alpha)
    var sum = 0.0
    for client in 0..<count {
      shares[client] = exp((shares[client] - most) / scale)
      sum += shares[client]
    }
    for client in 0..<count { shares[client] /= sum }
    return shares
  }
}

import Configuration
import Glibc

/// Who takes part in a round, which decides the bound that holds.
public enum CohortSampling: Sendable, Hashable {
  /// Each client independently with this probability; neighbours differ by one client more or less.  Rate 1 is all clients.
  case poisson(rate: Double)
  /// A fixed number of all clients, without replacement; neighbours differ by one client's data.
  case fixed(cohort: Int, population: Int)
}

/// Rényi differential privacy of rounds of the (subsampled) Gaussian mechanism.
///
/// Poisson: Mironov, Talwar, Zhang 2019, section 3.3, integer and fractional orders, in log space.
/// Fixed cohorts: Wang, Balle, Kasiviswanathan, AISTATS 2019, theorem 9, integer orders, with ε(∞) = ∞.  There a neighbour
/// *replaces* a client, so that a sum of updates clipped to C moves by up to 2C, and z counts half.
/// Conversion: Canonne, Kamath, Steinke 2020, proposition 12.
public struct RDPAccountant: Sendable {
  /// α.
  public static let orders: [Double] =
    (11...109).map { Double($0) / 10 } + (11...63).map { Double($0) } + [128, 256, 512, 1024]

  /// ε(α) so far, one an order: state, which a checkpoint keeps.
  public private(set) var divergences: [Double]

  /// Nothing spent.
  public init() { divergences = Self.orders.map { _ in 0 } }

  /// What a checkpoint kept.
  public init(divergences: [Double]) {
    precondition(divergences.count == Self.orders.count, "\(divergences.count) divergences")
    self.divergences = divergences
  }

  /// Adds rounds with noise of deviation z · C on the sum of updates clipped to C.  Different rounds may differ.
  public mutating func spend(_ sampling: CohortSampling, noiseMultiplier z: Double, rounds: Int = 1) {
    precondition(z >= 0 && rounds >= 0, "noise \(z), \(rounds) rounds")
    if rounds == 0 { return }
    for (index, order) in Self.orders.enumerated() {
      divergences[index] += Double(rounds) * Self.divergence(sampling, z, order)
    }
  }

  /// The least ε of (ε, δ), ∞ if there is none.
  public func epsilon(delta: Double) -> Double {
    precondition(delta > 0 && delta < 1, "δ of \(delta)")
    var least = Double.infinity
    for (order, divergence) in zip(Self.orders, divergences) {
      // Total variation at most √(1 − e^−ε) (Bretagnolle and Huber) already keeps δ.
      if delta * delta + expm1(-divergence) >= 0 { return 0 }
      least = min(least, divergence + log1p(-1 / order) - log(delta * order) / (order - 1))
    }
    return max(0, least)
  }

  /// The least δ of (ε, δ), at most 1.
  public func delta(epsilon: Double) -> Double {
    precondition(epsilon >= 0, "ε of \(epsilon)")
    var least = 1.0
    for (order, divergence) in zip(Self.orders, divergences) {
      least = min(least, (-expm1(-divergence)).squareRoot())
      let logarithm = (order - 1) * (divergence - epsilon + log1p(-1 / order)) - log(order)
      least = min(least, exp(logarithm))
    }
    return least
  }

  /// ε(α) of one round.
  static func divergence(_ sampling: CohortSampling, _ z: Double, _ order: Double) -> Double {
    switch sampling {
    case .poisson(let rate):
      precondition(rate >= 0 && rate <= 1, "a rate of \(rate)")
      if rate == 0 { return 0 }
      if z == 0 { return .infinity }
      if rate == 1 { return order / (2 * z * z) }
      let logarithm = order == order.rounded() ? integer(rate, z, order) : fractional(rate, z, order)
      return max(0, logarithm / (order - 1))
    case .fixed(let cohort, let population):
      precondition(cohort >= 0 && cohort <= population && population > 0, "\(cohort) of \(population)")
      if cohort == 0 { return 0 }
      if z == 0 { return .infinity }
      if cohort == population { return 2 * order / (z * z) }
      // Above an order that is no integer the next one bounds it, because ε(α) grows with α.
      return withoutReplacement(Double(cohort) / Double(population), z, order.rounded(.up))
    }
  }

  /// log Σ_i C(α,i) q^i (1−q)^(α−i) e^((i²−i)/(2z²)).
  private static func integer(_ q: Double, _ z: Double, _ order: Double) -> Double {
    var sum = -Double.infinity
    for i in 0...Int(order) {
      let i = Double(i)
      let term = LogSpace.binomial(order, i) + i * log(q) + (order - i) * log1p(-q) + (i * i - i) / (2 * z * z)
      sum = LogSpace.add(sum, term)
    }
    return sum
  }

  /// The same for any α: both halves of the line, split at z₀ = z² ln(1/q − 1) + ½, where the mixture's parts weigh the same.
  private static func fractional(_ q: Double, _ z: Double, _ order: Double) -> Double {
    let split = z * z * log(1 / q - 1) + 0.5
    var (positive, negative) = (-Double.infinity, -Double.infinity)
    var (coefficient, sign) = (0.0, 1.0)  // log |C(α,i)|
    var i = 0.0
    while true {
      let j = order - i
      let low =
        coefficient + i * log(q) + j * log1p(-q) + (i * i - i) / (2 * z * z)
        + LogSpace.erfc((i - split) / (2.0.squareRoot() * z)) - log(2)
      let high =
        coefficient + j * log(q) + i * log1p(-q) + (j * j - j) / (2 * z * z)
        + LogSpace.erfc((split - j) / (2.0.squareRoot() * z)) - log(2)
      let term = LogSpace.add(low, high)
      if sign > 0 { positive = LogSpace.add(positive, term) } else { negative = LogSpace.add(negative, term) }
      // Beyond α the terms fall and alternate; e⁻³⁷ is below the rounding of a sum that is at least 1.
      if i > order, term < -37 { return LogSpace.subtract(positive, negative) }
      coefficient += log(abs(order - i)) - log(i + 1)
      if order - i < 0 { sign = -sign }
      i += 1
    }
  }

  /// Theorem 9: γ = m/n, the Gaussian's ε(j) = j (2C)² / (2 z² C²) = 2j / z².
  private static func withoutReplacement(_ rate: Double, _ z: Double, _ order: Double) -> Double {
    func gaussian(_ j: Double) -> Double { 2 * j / (z * z) }
    // 4(e^ε(2) − 1) or 2 e^ε(2), whichever is less, as logarithms: the former overflows.
    let full = gaussian(2) + log(2)
    let second = gaussian(2) > 1 ? full : min(log(4 * expm1(gaussian(2))), full)
    var excess = 2 * log(rate) + LogSpace.binomial(order, 2) + second
    if order >= 3 {
      for j in 3...Int(order) {
        let j = Double(j)
        let term = j * log(rate) + LogSpace.binomial(order, j) + (j - 1) * gaussian(j) + log(2)
        excess = LogSpace.add(excess, term)
      }
    }
    // Never more than without sampling.
    return min(LogSpace.add(0, excess) / (order - 1), gaussian(order))
  }
}

import Glibc

/// A distribution of privacy losses on a grid: `masses[i]` at (first + i) · interval, and the rest at infinity.
struct PrivacyLoss: Sendable {
  let interval: Double
  let first: Int
  let masses: [Double]
  let infinite: Double

  /// What is cut from each tail of a composition.
  static let tail = 1e-15
  /// Deviations beyond which a normal number is cut: 10⁻¹⁹ of its mass.
  private static let reach = 9.0

  /// What rounding took from the masses counts as infinite too, so that it is never for the better.
  init(interval: Double, first: Int, masses: [Double], infinite: Double) {
    self.interval = interval
    self.first = first
    self.masses = masses
    self.infinite = max(infinite, 1 - masses.reduce(0, +))
  }

  /// ln(upper / lower) where x is drawn from upper: `removes` has the mixture (1 − q) N(0, z²) + q N(1, z²) above N(0, z²),
  /// else the other way round.
  init(rate: Double, deviation z: Double, removes: Bool, interval wanted: Double) {
    // The mixture's loss ln(1 − q + q e^((2x − 1) / (2z²))) grows with x; the other is its negative.
    func loss(_ x: Double) -> Double {
      let exponent = (2 * x - 1) / (2 * z * z)
      return exponent > 30
        ? exponent + log(rate) + log1p((1 - rate) / rate * exp(-exponent)) : log1p(rate * expm1(exponent))
    }
    func place(_ loss: Double) -> Double {
      if rate == 1 { return z * z * loss + 0.5 }
      // (e^loss − 1 + q) / q, whose logarithm needs care at both ends.
      let excess = loss > 30 ? loss - log(rate) + log1p(-(1 - rate) * exp(-loss)) : log1p(expm1(loss) / rate)
      return excess.isNaN ? -.infinity : z * z * excess + 0.5
    }
    let (least, greatest) = (loss(-Self.reach * z), loss(1 + Self.reach * z))
    let interval = max(wanted, (greatest - least) / 0x1p21)
    let bottom = Int(((removes ? least : -greatest) / interval).rounded(.down))
    let top = Int(((removes ? greatest : -least) / interval).rounded(.up))

    /// Mass of N(0, z²) and of N(1, z²) from `a` to `b`, from the side where the numbers are small.
    func normal(_ mean: Double, _ a: Double, _ b: Double) -> Double {
      let (low, high) = ((a - mean) / z, (b - mean) / z)
      return low > 0
        ? NormalDistribution.share(below: -low) - NormalDistribution.share(below: -high)
        : NormalDistribution.share(below: high) - NormalDistribution.share(below: low)
    }
    /// Upper and lower mass of losses from `a` to `b`.
    func mass(_ a: Double, _ b: Double) -> (upper: Double, lower: Double) {
      let (from, to) = removes ? (place(a), place(b)) : (place(-b), place(-a))
      let pure = normal(0, from, to)
      let mixed = (1 - rate) * pure + rate * normal(1, from, to)
      return removes ? (mixed, pure) : (pure, mixed)
    }

    var masses = [Double](repeating: 0, count: top - bottom + 1)
    masses[0] = mass(-.infinity, Double(bottom) * interval).upper
    let span = -expm1(-interval)
    for i in 1..<masses.count {
      let low = Double(bottom + i - 1) * interval
      let (upper, lower) = mass(low, low + interval)
      // Both upper and lower mass are kept: what of the upper lies at the interval's end.
      let end = min(upper, max(0, (upper - lower * exp(low)) / span))
      masses[i - 1] += upper - end
      masses[i] += end
    }
    self.init(
      interval: interval, first: bottom, masses: masses, infinite: mass(Double(top) * interval, .infinity).upper)
  }

  /// The loss of `rounds` independent rounds.
  func composed(_ rounds: Int) -> PrivacyLoss {
    if rounds == 0 { return PrivacyLoss(interval: interval, first: 0, masses: [1], infinite: 0) }
    if rounds == 1 { return self }
    let (low, high) = bounds(rounds)
    var count = 2
    while count < max(high - low + 1, masses.count) { count *= 2 }
    let transform = FourierTransform(count: count)
    var real = masses + [Double](repeating: 0, count: count - masses.count)
    var imaginary = [Double](repeating: 0, count: count)
    transform(&real, &imaginary)
    for k in 0..<count {
      let power = Self.power(real[k], imaginary[k], rounds)
      (real[k], imaginary[k]) = (power.real, power.imaginary)
    }
    transform(&imaginary, &real)
    // The transform is circular: losses beyond the bounds, which weigh less than both tails, came round into them.
    let shift = low - rounds * first
    var result = [Double](repeating: 0, count: high - low + 1)
    for i in result.indices {
      let place = (shift + i) % count
      result[i] = max(0, real[place < 0 ? place + count : place] / Double(count))
    }
    let finite = -expm1(Double(rounds) * log1p(-infinite))
    return PrivacyLoss(interval: interval, first: low, masses: result, infinite: finite + 2 * Self.tail)
  }

  /// Σ (1 − e^(ε − loss))₊ + the mass at infinity.
  func delta(epsilon: Double) -> Double {
    var sum = 0.0
    for i in stride(from: masses.count - 1, through: 0, by: -1) {
      let loss = Double(first + i) * interval
      if loss <= epsilon { break }
      sum -= masses[i] * expm1(epsilon - loss)
    }
    return min(1, sum + infinite)
  }

  /// The least ε ≥ 0 that keeps δ: from the greatest loss down, until the next grid point would need more.
  func epsilon(delta: Double) -> Double {
    if infinite > delta { return .infinity }
    if self.delta(epsilon: 0) <= delta { return 0 }
    // δ(ε) = upper − e^ε lower for ε between the grid points, with the masses of greater losses.
    var (upper, lower) = (infinite, 0.0)
    for i in stride(from: masses.count - 1, through: 0, by: -1) {
      let loss = Double(first + i) * interval
      let next = loss - interval
      upper += masses[i]
      lower += masses[i] * exp(-loss)
      if upper - exp(next) * lower > delta { return max(0, log((upper - delta) / lower)) }
    }
    return 0
  }

  /// Grid points outside of which a composition weighs less than `tail` on each side: Chernoff's bound over several orders.
  private func bounds(_ rounds: Int) -> (low: Int, high: Int) {
    var (low, high) = (rounds * first, rounds * (first + masses.count - 1))
    var order = 1 / (16 * interval * Double(masses.count)) * 0x1p-4
    let needed = -log(Self.tail)
    while order < 0x1p12 {
      var (up, down) = (0.0, 0.0)
      // Relative to the greatest and least loss, so that no exponential overflows.
      let (least, greatest) = (Double(first) * interval, Double(first + masses.count - 1) * interval)
      for i in masses.indices {
        let offset = Double(i) * interval
        up += masses[i] * exp(order * (offset - (greatest - least)))
        down += masses[i] * exp(-order * offset)
      }
      let above = (Double(rounds) * (log(up) + order * greatest) + needed) / order
      let below = -(Double(rounds) * (log(down) - order * least) + needed) / order
      if above.isFinite { high = min(high, Int((above / interval).rounded(.up))) }
      if below.isFinite { low = max(low, Int((below / interval).rounded(.down))) }
      order *= 2
    }
    return (low, max(low, high))
  }

  /// (x + iy)^n by squaring.
  private static func power(_ x: Double, _ y: Double, _ n: Int) -> (real: Double, imaginary: Double) {
    var (real, imaginary) = (1.0, 0.0)
    var (x, y, n) = (x, y, n)
    while n > 0 {
      if n & 1 == 1 { (real, imaginary) = (real * x - imaginary * y, real * y + imaginary * x) }
      (x, y) = (x * x - y * y, 2 * x * y)
      n >>= 1
    }
    return (real, imaginary)
  }
}

import Configuration
import Glibc

/// C, the largest norm of a client's update under user-level differential privacy, and the noise that goes with it.
///
/// Fixed: w ← w + mean Δ + N(0, (zC/m)²), uniform weights, m the cohort that was planned, whoever answers.
/// Adaptive (Andrew, Thakkar, McMahan, Ramaswamy, NeurIPS 2021, algorithm 1): C follows the `quantile` of the norms,
/// C ← C · exp(−η (B − γ)), where B = (Σ b + N(0, σ_b²)) / m counts clients whose update was NOT clipped, ‖Δ‖ ≤ C.
/// Noise uses the C that clipped this round; `advance` comes after it.
public struct ClippingNorm: Sendable, Hashable {
  /// How C follows the norms.
  public struct Adaptation: Sendable, Hashable {
    /// γ: the share of clients that should not be clipped.
    public let quantile: Double
    /// η: the rate of C.
    public let rate: Double
    /// σ_b: the deviation of the noise on the count, clients.
    public let countDeviation: Double
  }

  /// C of this round: state, which a checkpoint keeps.
  public private(set) var limit: Double
  /// z: what the round costs, as the noise multiplier of accountants.
  public let noiseMultiplier: Double
  /// m: the clients of a planned cohort, for Poisson cohorts their expectation.
  public let cohort: Double
  /// How C moves; nil where it is fixed.
  public let adaptation: Adaptation?

  /// A norm that stays.
  public init(fixed limit: Double, noiseMultiplier: Double, cohort: Double) {
    precondition(limit > 0 && noiseMultiplier >= 0 && cohort > 0, "clipping to \(limit), noise \(noiseMultiplier)")
    self.limit = limit
    self.noiseMultiplier = noiseMultiplier
    self.cohort = cohort
    adaptation = nil
  }

  /// A norm that follows a quantile; σ_b is `countDeviation`, m/20 if nil.  Throws where z is so large that the count alone
  /// would cost more than the round may: 2σ_b must exceed z.
  public init(
    adaptiveFrom limit: Double = 0.1, quantile: Double = 0.5, rate: Double = 0.2, countDeviation: Double? = nil,
    noiseMultiplier: Double, cohort: Double
  ) throws(ConfigurationError) {
    precondition(limit > 0 && noiseMultiplier >= 0 && cohort > 0, "clipping to \(limit), noise \(noiseMultiplier)")
    let deviation = countDeviation ?? cohort / 20
    if noiseMultiplier > 0, 2 * deviation <= noiseMultiplier {
      throw ConfigurationError(
        "adaptive clipping with noise \(noiseMultiplier) needs a count deviation above \(noiseMultiplier / 2) and has "
          + "\(deviation); raise the cohort or lower the noise")
    }
    self.limit = limit
    self.noiseMultiplier = noiseMultiplier
    self.cohort = cohort
    adaptation = Adaptation(quantile: quantile, rate: rate, countDeviation: deviation)
  }

  /// z_Δ: the multiplier of the noise on updates.  Adaptive: (z⁻² − (2σ_b)⁻²)^(−½), so that updates and count cost z together.
  public var updateMultiplier: Double {
    guard let adaptation, noiseMultiplier > 0 else { return noiseMultiplier }
    let count = 2 * adaptation.countDeviation
    return 1 / (1 / (noiseMultiplier * noiseMultiplier) - 1 / (count * count)).squareRoot()
  }

  /// The deviation of the noise on each coordinate of the mean update, z_Δ C / m.  Precondition: C is finite where z is not 0.
  public var meanDeviation: Double {
    if noiseMultiplier == 0 { return 0 }
    precondition(limit.isFinite, "noise for updates that are not clipped")
    return updateMultiplier * limit / cohort
  }

  /// b: whether an update of a norm is not clipped.
  public func keeps(norm: Double) -> Bool { norm <= limit }

  /// Moves C after the round's noise was added; `kept` counts the clients that were not clipped.  A fixed norm stays.
  public mutating func advance(kept: Int, seed: UInt64, round: Int) {
    guard let adaptation else { return }
    let noise = noiseMultiplier == 0 ? 0 : adaptation.countDeviation * GaussianNoise.ofCount(seed: seed, round: round)
    let share = (Double(kept) + noise) / cohort
    limit *= exp(-adaptation.rate * (share - adaptation.quantile))
  }

  /// Takes C from a checkpoint.
  public mutating func restore(limit: Double) {
    precondition(limit > 0, "clipping to \(limit)")
    self.limit = limit
  }
}

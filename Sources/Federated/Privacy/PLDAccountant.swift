/// The privacy loss distribution of rounds of the Poisson-subsampled Gaussian mechanism: the tightest (ε, δ) there is, up to
/// its grid, and never too small (Koskela, Jälkö, Honkela, AISTATS 2020; Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, PoPETs
/// 2022, which splits each interval's mass between its ends, so that δ(ε) is met on the grid and overestimated between).
///
/// All rounds share rate and noise.  δ(ε) is the greater of removing a client and adding one.  Tails that are cut off count as
/// infinite loss.  Roundoff of the transforms limits δ to about 10⁻¹².
/// Fixed cohorts have no such bound: use ``RDPAccountant``.
public struct PLDAccountant: Sendable {
  private let losses: [PrivacyLoss]

  /// One round with sampling rate q of (0, 1] and noise of deviation z · C on the sum of updates clipped to C; z above 0.
  /// `interval` is the grid's; it is widened where losses are so wide that they would need more than 2²¹ points.
  public init(rate: Double, noiseMultiplier z: Double, interval: Double = 1e-4) {
    precondition(rate > 0 && rate <= 1 && z > 0 && interval > 0, "rate \(rate), noise \(z), interval \(interval)")
    losses = [true, false].map { PrivacyLoss(rate: rate, deviation: z, removes: $0, interval: interval) }
  }

  /// The least δ of (ε, δ) after rounds.
  public func delta(epsilon: Double, rounds: Int) -> Double {
    precondition(epsilon >= 0 && rounds >= 0, "ε of \(epsilon) after \(rounds) rounds")
    return losses.map { $0.composed(rounds).delta(epsilon: epsilon) }.max() ?? 0
  }

  /// The least ε ≥ 0 of (ε, δ) after rounds, ∞ if there is none.
  public func epsilon(delta: Double, rounds: Int) -> Double {
    precondition(delta > 0 && delta < 1 && rounds >= 0, "δ of \(delta) after \(rounds) rounds")
    return losses.map { $0.composed(rounds).epsilon(delta: delta) }.max() ?? 0
  }

  /// How many rounds a budget pays for, at most `limit`: about 2 log₂ `limit` compositions.
  public func rounds(epsilon: Double, delta: Double, limit: Int) -> Int {
    var (paid, unpaid) = (0, limit + 1)
    while unpaid - paid > 1 {
      let middle = paid + (unpaid - paid) / 2
      if self.delta(epsilon: epsilon, rounds: middle) <= delta { paid = middle } else { unpaid = middle }
    }
    return paid
  }
}

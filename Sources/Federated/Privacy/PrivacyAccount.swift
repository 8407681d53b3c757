import Glibc

/// What rounds of one mechanism cost: ε by their number, and how many a budget pays for.
///
/// All rounds are alike, so that ε is a function of how many were made and a resumed run needs no account of earlier ones.
struct PrivacyAccount {
  private enum Bound {
    /// Without noise there is no privacy.
    case none
    /// ε(α) of one round.
    case divergences([Double])
    case losses(PLDAccountant)
  }

  /// Rounds that may be made: those that the budget pays for, at most `limit`.
  let rounds: Int
  private let bound: Bound
  private let delta: Double
  private var known: [Int: Double] = [:]

  /// The account of up to `limit` rounds.  Throws where the accountant has no bound for such cohorts, or the budget does not
  /// pay for one round.
  init(_ options: PrivacyOptions, _ sampling: CohortSampling, rounds limit: Int) throws(FederatedError) {
    delta = options.delta
    switch (options.accountant, sampling) {
    case _ where options.noise == 0: bound = .none
    case (.rdp, _):
      var one = RDPAccountant()
      one.spend(sampling, noiseMultiplier: options.noise)
      bound = .divergences(one.divergences)
    case (.pld, .poisson(let rate)):
      // A twentieth of the deviation of a round's loss, q √(e^(1/z²) − 1), costs ε less than a thousandth of itself.
      let z = options.noise
      let interval = max(1e-4, min(1e-3, rate * expm1(1 / (z * z)).squareRoot() / 20))
      bound = .losses(PLDAccountant(rate: rate, noiseMultiplier: z, interval: interval))
    case (.pld, .fixed):
      throw FederatedError(
        .configuration,
        "federated.privacy.accountant is pld, which has no bound for fixed cohorts; set federated.sampling: poisson, or "
          + "accountant: rdp")
    }
    guard let budget = options.budget else {
      rounds = limit
      return
    }
    let cost = PrivacyAccount.epsilon(bound, delta, 1)
    guard cost <= budget else {
      throw FederatedError(
        .refused,
        "the privacy budget of ε = \(budget) does not pay for one round, which costs "
          + (cost.isFinite ? "ε = \(cost)" : "any ε")
          + " at δ = \(options.delta); raise federated.privacy.budget or noise, or ask fewer of the clients")
    }
    switch bound {
    case .losses(let accountant): rounds = accountant.rounds(epsilon: budget, delta: options.delta, limit: limit)
    default:
      var (paid, unpaid) = (1, limit + 1)
      while unpaid - paid > 1 {
        let middle = paid + (unpaid - paid) / 2
        if PrivacyAccount.epsilon(bound, delta, middle) <= budget { paid = middle } else { unpaid = middle }
      }
      rounds = paid
    }
  }

  /// ε after some rounds, ∞ without noise.
  ///
  /// A privacy loss distribution is composed only for numbers of five binary digits, and for the last round: between them the
  /// ε of a later round stands for it, which is greater by a few per cent at most.
  mutating func epsilon(after made: Int) -> Double {
    var counted = made
    if case .losses = bound {
      let grain = 1 << max(0, Int.bitWidth - made.leadingZeroBitCount - 5)
      counted = max(made, min((made + grain - 1) / grain * grain, rounds))
    }
    if let epsilon = known[counted] { return epsilon }
    let epsilon = PrivacyAccount.epsilon(bound, delta, counted)
    known = [counted: epsilon]
    return epsilon
  }

  private static func epsilon(_ bound: Bound, _ delta: Double, _ rounds: Int) -> Double {
    switch bound {
    case .none: .infinity
    case .divergences(let one):
      RDPAccountant(divergences: one.map { $0 * Double(rounds) }).epsilon(delta: delta)
    case .losses(let accountant): accountant.epsilon(delta: delta, rounds: rounds)
    }
  }
}

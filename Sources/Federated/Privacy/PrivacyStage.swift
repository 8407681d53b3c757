import Configuration
import Tensors

/// The server's part of differential privacy: noise on the mean, the norm that clips, the account and its end.
///
/// Adaptive norms are rounded to Float32, as which checkpoints keep them.
final class PrivacyStage: OutcomeStage {
  let limit: ChangeLimit
  private var norm: ClippingNorm
  private var account: PrivacyAccount
  private let options: PrivacyOptions
  /// What noise comes from, 16 bits a scalar: a checkpoint's, so that a continued run draws the same.
  private let key = Storage(zeros: 4)
  private let state: Storage?

  /// Throws where the norm cannot adapt, or for what the account throws.
  init(_ options: PrivacyOptions, _ setting: FederatedSetting, _ task: FederatedTask) throws(FederatedError) {
    self.options = options
    let cohort = Double(task.cohort)
    switch options.clip {
    case .none: norm = ClippingNorm(fixed: .infinity, noiseMultiplier: options.noise, cohort: cohort)
    case .fixed(let limit): norm = ClippingNorm(fixed: limit, noiseMultiplier: options.noise, cohort: cohort)
    case .adaptive(let initial, let quantile, let rate, let countNoise):
      do {
        norm = try ClippingNorm(
          adaptiveFrom: Double(Float(initial)), quantile: quantile, rate: rate, countDeviation: countNoise,
          noiseMultiplier: options.noise, cohort: cohort)
      } catch { throw FederatedError(.configuration, "federated.privacy.clip: \(error.message)") }
    }
    account = try PrivacyAccount(options, setting.accounted(task), rounds: task.rounds)
    limit = ChangeLimit(norm.limit)
    state = norm.adaptation == nil ? nil : Storage(zeros: 1)
    state?.base[0] = Float(norm.limit)
    var generator = SystemRandomNumberGenerator()
    let seed = setting.drawsNoiseKey ? generator.next() as UInt64 : task.seed
    for place in 0..<4 { key.base[place] = Float(seed >> (16 * UInt64(place)) & 0xFFFF) }
  }

  var memory: [ServerMemory] {
    [ServerMemory("noise-key", key)] + (state.map { [ServerMemory("clipping-norm", $0)] } ?? [])
  }

  /// What noise comes from.
  private var seed: UInt64 { (0..<4).reduce(0) { $0 | UInt64(key.base[$1]) << (16 * UInt64($1)) } }

  func begin(round: Int) throws(FederatedError) {
    if round >= account.rounds, let budget = options.budget {
      throw FederatedError(
        .refused,
        "the privacy budget of ε = \(budget) at δ = \(options.delta) does not pay for another round: \(round) rounds are "
          + "done and have cost ε = \(account.epsilon(after: round)); raise federated.privacy.budget or noise")
    }
    if let state { norm.restore(limit: Double(state.base[0])) }
    limit.norm = norm.limit
  }

  func apply(
    _ outcome: RoundOutcome, whole: Int, _ record: inout RoundRecord, _ workers: Workers
  ) throws(FederatedError) {
    let deviation = norm.meanDeviation
    if deviation > 0 {
      nonisolated(unsafe) let mean = outcome.mean(0)
      let (count, round, seed) = (outcome.means[0].count, outcome.round, seed)
      workers.run { worker in
        GaussianNoise.add(
          to: mean, range: workers.part(worker, of: count, grain: 2), deviation: deviation, seed: seed, round: round)
      }
    }
    let epsilon = account.epsilon(after: outcome.round + 1)
    if epsilon.isFinite {
      record.others["epsilon"] = epsilon
      record.others["delta"] = options.delta
    }
    guard let state else { return }
    record.others["clipping_norm"] = norm.limit
    norm.advance(kept: whole, seed: seed, round: outcome.round)
    // However long all clients or none were clipped, the norm stays one.
    state.base[0] = min(max(Float(norm.limit), .leastNormalMagnitude), .greatestFiniteMagnitude)
  }
}

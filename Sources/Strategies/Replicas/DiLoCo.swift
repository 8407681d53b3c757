import Communication
import Configuration
import Tensors

/// Every worker makes `period` steps alone; then an outer optimizer moves a global model by the mean of what they moved, and
/// all go on from there.
///
/// Douillard et al. 2023, "DiLoCo: distributed low-communication training of language models", algorithm 1, with PyTorch's
/// Nesterov momentum: Δ = mean(θ − θ_i), u ← μ·u + Δ, θ ← θ − η·(Δ + μ·u), with the paper's η = 0.7 and μ = 0.9.  Inner
/// optimizers keep their own memory.  The period is 48 by default: the paper's 500 belongs to runs of tens of thousands of
/// steps.  Statistics of normalisations become their mean.  What is evaluated between two outer steps is the mean of the
/// workers, which is the global model right after each.  Rounding of θ − Δ keeps one worker from being plain SGD to the bit.
///
/// Sends in every `period`-th step 4·(n + m)·(k + 1)·(p − 1)/p bytes for n weights, m statistics, k subtrees a rank and p
/// ranks, and nothing in between.  State: θ with the statistics, and u, the same on all ranks; nothing is in flight between two
/// steps.
public final class DiLoCo: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "diloco"
  /// What it does.
  public static let help = "lets workers train alone and moves a global model by their mean, with momentum"

  private let period: Int
  private let settings: OuterOptimizer.Settings
  private var outer: OuterOptimizer?
  private var aside: Consensus?
  /// Weights and states.
  private static let all = [0, 1]

  /// Reads the period and the outer optimizer's numbers.
  public init(options: inout Options) throws(ConfigurationError) {
    period = try options.integer(
      "period", default: 48, in: 1...1 << 30, unit: "steps", "steps that workers make between two outer steps")
    settings = try OuterOptimizer.Settings(&options)
  }

  /// The outer optimizer and the mean that is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    var bytes = OuterOptimizer.bytes(share)
    bytes.working += Consensus.bytes(share)
    return bytes
  }

  /// Makes room for the global model.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    let weights = plan.layout.parameterCount
    let all = weights + plan.layout.movingStateCount
    outer = try OuterOptimizer(settings, plan, replicas, [0..<weights, weights..<all])
    aside = try Consensus(plan.aside, replicas)
  }

  /// Begins with the global model that all have.
  public func start() throws(CommunicationError) { outer?.begin() }

  /// Makes the outer step when it is time.
  public func endStep(_ step: Int) throws(CommunicationError) {
    guard isDue(step), let outer else { return }
    try outer.start(DiLoCo.all)
    try outer.finish()
    outer.merge(DiLoCo.all)
  }

  private func isDue(_ step: Int) -> Bool { (step + 1) % period == 0 }

  /// θ and u.
  public var memory: [StrategyMemory] { outer?.memory ?? [] }

  /// The mean of all workers.
  public func consensus(into store: ParameterStore) throws(CommunicationError) { try aside?.mean(into: store) }

  /// The bytes of the mean, in steps that take it.
  public func bytesSent(step: Int) -> Int? { isDue(step) ? outer?.bytesSent(DiLoCo.all) : 0 }
}

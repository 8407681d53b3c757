import Communication
import Configuration
import Tensors

/// Every worker makes `period` steps alone, then all take the mean of their weights.
///
/// Stich 2019, "Local SGD converges fast and communicates little", algorithm 1; each worker's optimizer keeps its own
/// memory, as in PyTorch's model averaging.  Statistics of normalisations are averaged with the weights.
/// Sends in every `period`-th step 4n·(k + 1)·(p − 1)/p bytes for n weights and statistics, and nothing in between.
/// State: none beside the replicas.  With a period of 1 and plain SGD it is `allreduce` up to rounding.
public final class LocalSGD: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "local-sgd"
  /// What it does.
  public static let help = "lets workers train alone and takes the mean of their weights every few steps"

  private let period: Int
  private var meeting: Consensus?
  private var aside: Consensus?

  /// Reads the period.
  public init(options: inout Options) throws(ConfigurationError) {
    period = try options.integer(
      "period", default: 8, in: 1...1 << 30, unit: "steps", "steps that workers make between two means")
  }

  /// The mean that replicas take, and that which is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes { StrategyBytes(working: 2 * Consensus.bytes(share)) }

  /// Makes room for the means.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    meeting = try Consensus(plan, replicas)
    aside = try Consensus(plan.aside, replicas)
  }

  /// Takes the mean when it is time.
  public func endStep(_ step: Int) throws(CommunicationError) {
    if isDue(step) { try meeting?.average() }
  }

  /// The mean, which workers may not have taken yet.
  public func consensus(into store: ParameterStore) throws(CommunicationError) { try aside?.mean(into: store) }

  private func isDue(_ step: Int) -> Bool { (step + 1) % period == 0 }

  /// The bytes of the mean, in steps that take it.
  public func bytesSent(step: Int) -> Int? { isDue(step) ? meeting?.bytesSent : 0 }
}

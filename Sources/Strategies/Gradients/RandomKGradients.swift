import Communication
import Compression
import Configuration
import Tensors

/// All shards send the same random places of their gradients, so that only values travel and are summed (Stich,
/// Cordonnier, Jaggi, NeurIPS 2018, "Sparsified SGD with memory", section 2; unbiased: Wangni, Wang, Liu, Zhang,
/// NeurIPS 2018).
///
///     c = g + e;  send k places of c;  e ← c elsewhere         or, unbiased, n/k · g at k places, and nothing is kept
///
/// Of every parameter of n scalars k = max(1, ⌊ratio · n⌋) are sent; places are drawn by seed, step and parameter.
/// Deviation: the learning rate is no part of what is remembered, as in ``TopKGradients``.
///
/// Sends per step and rank 4(h(k − kᵣ) + (p − 1)kᵣ) bytes for the k of all parameters, kᵣ ≈ k/p of them owned (of each
/// bucket, in whole lines of 16), with h shards held by the rank, and the tail (``CompressedStrategy``).  State: the
/// residual e of every shard, unless unbiased.  With a ratio of 1 it is `allreduce`: then nothing is ever kept.
public final class RandomKGradients: CompressedStrategy {
  /// The name in configurations.
  public static let name = "random-k"
  /// What it does.
  public static let help =
    "sums a random part of every gradient, the same for all, and keeps the others for later steps"

  private let options: RandomKOptions
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads the share, and what becomes of the rest.
  public init(options: inout Options) throws(ConfigurationError) {
    self.options = try RandomKOptions(&options)
  }

  /// The values and residuals.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let values = share.layout.parameters.reduce(0) { $0 + SparseMessage.pairs(options.ratio, of: $1.range.count) }
    let held = share.shards.count
    return StrategyBytes(remembered: options.isUnbiased ? 0 : held * share.weightBytes, working: 4 * held * values)
  }

  /// Sums of values.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try CommonPlacesExchange(
      plan, ratio: options.ratio, isUnbiased: options.isUnbiased,
      options.isUnbiased ? plan.shards.map { _ in NoMemory() } : plan.errorFeedback())
  }
}

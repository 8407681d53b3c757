import Communication
import Compression
import Configuration

/// Every shard rounds its gradient at random to a few levels of its norm, so that the expectation is the gradient
/// (Alistarh, Grubic, Li, Tomioka, Vojnovic, NeurIPS 2017, "QSGD", section 3.1; bucketing, section 4).
///
/// Every parameter is cut into buckets of `bucket` scalars with a norm each; codes take ⌈log₂(2 · levels + 1)⌉ bits
/// where the paper has Elias codes, so that sizes are fixed (``QSGD``).  All ranks add what all shards sent, in their
/// order.
///
/// Sends per step and rank Σ (4⌈n/bucket⌉ + ⌈bits · n/8⌉)·h·(p − 1) bytes over the parameters of n scalars, for h
/// shards held by the rank, and the tail (``CompressedStrategy``).  State: none; numbers are drawn by seed, step, shard
/// and parameter.
public final class QuantisedGradients: CompressedStrategy {
  /// The name in configurations.
  public static let name = "qsgd"
  /// What it does.
  public static let help = "rounds gradients at random to a few levels of their norm, without bias (QSGD)"

  private let code: QSGD
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads levels, buckets and norm.
  public init(options: inout Options) throws(ConfigurationError) {
    code = try QSGD(options: &options)
  }

  /// The messages.
  public func bytes(_ share: RankShare) -> StrategyBytes { EncodedExchange.bytes(share, code, blocks: 0) }

  /// Messages of levels.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try EncodedExchange(plan, code, plan.shards.map { _ in NoMemory() })
  }
}

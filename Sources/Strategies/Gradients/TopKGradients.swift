import Communication
import Compression
import Configuration

/// Every shard sends the scalars of its gradient that are largest in magnitude, and keeps the others for later (Aji and
/// Heafield, EMNLP 2017, "Sparse communication for distributed gradient descent"; Stich, Cordonnier, Jaggi, NeurIPS
/// 2018, algorithm 1).
///
///     c = g + e;  send the top k of c;  e ← what was not sent;  the gradient applied is the sum of what all sent
///
/// Of every parameter of n scalars k = max(1, ⌊ratio · n⌋) are sent, ties by lower index, as in Aji's layers.
/// Deviation: Stich puts the learning rate into what is remembered, c = rate · g + e; here the optimizer applies it, so
/// that rules with momentum go with it too.
///
/// Sends per step and rank 8k·h·(p − 1) bytes for the k of all parameters and h shards held by the rank, and the tail
/// (``CompressedStrategy``).  State: the residual e of every shard, where `feedback` holds.
/// With one worker and a ratio of 1 it is plain SGD.
public final class TopKGradients: CompressedStrategy {
  /// The name in configurations.
  public static let name = "top-k"
  /// What it does.
  public static let help = "sends the largest scalars of every gradient and keeps the others for later steps"

  private let options: TopKOptions
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads the share, and whether the rest is kept.
  public init(options: inout Options) throws(ConfigurationError) {
    self.options = try TopKOptions(&options)
  }

  /// The messages and residuals.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    EncodedExchange.bytes(share, TopK(ratio: options.ratio), blocks: options.feedback ? 1 : 0)
  }

  /// Messages of pairs.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try EncodedExchange(
      plan, TopK(ratio: options.ratio), options.feedback ? plan.errorFeedback() : plan.shards.map { _ in NoMemory() })
  }
}

import Communication
import Compression
import Configuration

/// Every shard sends −1, 0 or +1 times a scaler for each gradient, drawn so that the expectation is the clipped
/// gradient (Wen, Xu, Yan, Wu, Wang, Chen, Li, NeurIPS 2017, "TernGrad", algorithm 1, equations 1–4 and 9).
///
/// Each shard clips every parameter's gradient to 2.5 σ of its own; the scaler is the largest magnitude that is left in
/// any shard (scaler sharing, section 3.2), which an exchange of its own finds first.  All ranks add what all shards
/// sent, in their order.
///
/// Sends per step and rank Σ (8 + ⌈n/4⌉)·h·(p − 1) bytes over the parameters of n scalars, for h shards held by the
/// rank: a scaler, the same in the message, and two bits a scalar; and the tail (``CompressedStrategy``).  State: none;
/// numbers are drawn by seed, step, shard and parameter.
public final class TernaryGradients: CompressedStrategy {
  /// The name in configurations.
  public static let name = "terngrad"
  /// What it does.
  public static let help = "rounds gradients at random to −s, 0 or s, without bias (TernGrad)"

  private let code: TernGrad
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads the limit.
  public init(options: inout Options) throws(ConfigurationError) {
    code = try TernGrad(options: &options)
  }

  /// The messages.
  public func bytes(_ share: RankShare) -> StrategyBytes { EncodedExchange.bytes(share, code, blocks: 0) }

  /// Messages of three levels.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try SharedScalerExchange(plan, code)
  }
}

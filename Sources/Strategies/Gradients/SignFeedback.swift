import Communication
import Compression
import Configuration

/// Every shard sends the signs of its gradient and their mean magnitude, and keeps what that leaves out (Karimireddy,
/// Rebjock, Stich, Jaggi, ICML 2019, "Error feedback fixes SignSGD", algorithm 2).
///
///     c = g + e;  send (‖c‖₁ / n) · sign c;  e ← c − what was sent;  the gradient applied is the sum of what all sent
///
/// Magnitudes are those of each parameter, as in the paper's experiments (section 6).  A sign of 0 is +1.  Deviation:
/// the learning rate is no part of what is remembered, as in ``TopKGradients``.
///
/// Sends per step and rank Σ (4 + ⌈n/8⌉)·h·(p − 1) bytes over the parameters of n scalars, for h shards held by the
/// rank, and the tail (``CompressedStrategy``).  State: the residual e of every shard.
public final class SignFeedback: CompressedStrategy {
  /// The name in configurations.
  public static let name = "sign-feedback"
  /// What it does.
  public static let help =
    "sends signs and mean magnitudes of gradients and keeps the difference for later steps (EF-signSGD)"

  /// Where it stands.
  public var course: CompressedCourse?

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// The messages and residuals.
  public func bytes(_ share: RankShare) -> StrategyBytes { EncodedExchange.bytes(share, ScaledSign(), blocks: 1) }

  /// Messages of signs.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try EncodedExchange(plan, ScaledSign(), plan.errorFeedback())
  }
}

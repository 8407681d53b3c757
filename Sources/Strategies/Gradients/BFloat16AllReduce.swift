import Communication
import Compression
import Configuration

/// All-reduce in half the bytes: gradients travel as bfloat16 both ways and are added in Float32, where PyTorch's
/// `bf16_compress_hook` adds in 16 bits.
///
/// As ``Float16AllReduce``, with the range of Float32, so that nothing need be scaled, and eight bits of precision.
///
/// Sends per step and rank 2(h(n − nᵣ) + (p − 1)nᵣ) bytes for n gradients, nᵣ ≈ n/p of them owned (of each bucket, in
/// whole lines of 16), with h shards held by the rank, and the tail (``CompressedStrategy``).  State: none.  With one
/// worker the gradient is rounded all the same.
public final class BFloat16AllReduce: CompressedStrategy {
  /// The name in configurations.
  public static let name = "bfloat16"
  /// What it does.
  public static let help = "adds the gradients of all shards, sent as bfloat16 both ways"

  /// Where it stands.
  public var course: CompressedCourse?

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// The messages.
  public func bytes(_ share: RankShare) -> StrategyBytes { AnsweredExchange.bytes(share, BFloat16Rounding()) }

  /// Sums of halves.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try AnsweredExchange.sums(plan, rounding: BFloat16Rounding())
  }
}

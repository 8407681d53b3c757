import Communication
import Compression
import Configuration

/// All-reduce in half the bytes: gradients travel as IEEE 754 binary16 both ways and are added in Float32, where PyTorch's
/// `fp16_compress_hook` adds in 16 bits.  Scaling so that small gradients survive: Micikevicius et al., ICLR 2018, "Mixed
/// precision training", section 3.2.
///
/// The gradient of every shard, times `scale`, is rounded to the nearest; the owner of each part of a bucket adds all
/// shards' in Float32, in their order, and rounds the sum; everybody divides it by `scale`.  With the default scale of
/// 128, sums from 2⁻³² to 511 survive, those from 2⁻²¹ on with eleven bits; a larger one becomes an infinity, which
/// ends training.  A power of two costs no precision.
///
/// Sends per step and rank 2(h(n − nᵣ) + (p − 1)nᵣ) bytes for n gradients, nᵣ ≈ n/p of them owned (of each bucket, in
/// whole lines of 16), with h shards held by the rank, and the tail (``CompressedStrategy``).  State: none.  With one
/// worker the gradient is rounded all the same.
public final class Float16AllReduce: CompressedStrategy {
  /// The name in configurations.
  public static let name = "float16"
  /// What it does.
  public static let help = "adds the gradients of all shards, sent as Float16 both ways"

  private let scale: Double
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads the scale.
  public init(options: inout Options) throws(ConfigurationError) {
    scale = try options.number(
      "scale", default: 128, in: .between(0x1p-20, 0x1p60),
      "what gradients are multiplied by before they are rounded, and divided by afterwards; best a power of two")
  }

  /// The messages.
  public func bytes(_ share: RankShare) -> StrategyBytes { AnsweredExchange.bytes(share, Float16Rounding()) }

  /// Sums of halves.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    try AnsweredExchange.sums(plan, rounding: Float16Rounding(), scale: Float(scale))
  }
}

import Communication
import Compression
import Configuration

/// Sums low-rank approximations of gradients (Vogels, Karimireddy, Jaggi, NeurIPS 2019, "PowerSGD", algorithm 1, with
/// error feedback as in algorithm 2).
///
///     M = gₛ + eₛ as a matrix of d₀ rows;  orthonormalise Q;  P = Σₛ M Q;  orthonormalise P;  Q = Σₛ Mᵀ P;
///     the gradient applied is P Qᵀ;  eₛ ← M − P Qᵀ/S
///
/// The first `start` steps are exact, as in PyTorch's hook; Q is then that of the step before (warm start).  Where
/// factors are not less than half as large as the matrix (``LowRank/pays``), and for vectors, the exact sum travels
/// with P.  Deviation: the learning rate is no part of what is remembered, as in ``TopKGradients``.
///
/// Sends per step and rank 4(h(n − nᵣ) + (p − 1)nᵣ) bytes a bucket, nᵣ ≈ n/p of them owned (in whole lines of 16), with
/// h shards held by the rank: at first once, with the bucket's n gradients; then with n = Σ rank · rows + Σ
/// uncompressed, and with n = Σ rank · columns; and the tail (``CompressedStrategy``).  State: the factors Q,
/// everywhere, and a residual for every shard.  Until `start` it is `allreduce`.
public final class PowerSGD: CompressedStrategy {
  /// The name in configurations.
  public static let name = "powersgd"
  /// What it does.
  public static let help = "sums low-rank factors of gradients and keeps the difference for later steps (PowerSGD)"

  private let rank: Int
  private let start: Int
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads rank and start.
  public init(options: inout Options) throws(ConfigurationError) {
    rank = try options.integer("rank", default: 1, in: 1...1024, "columns of the factors")
    start = try options.integer(
      "start", default: 1000, in: 0...1 << 30, unit: "steps", "steps with exact sums, before factors are exchanged")
  }

  /// Residuals and factors.
  public func bytes(_ share: RankShare) -> StrategyBytes { LowRankExchange.bytes(share, rank: rank) }

  /// Exact sums, then sums of factors.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    let factors = try LowRankExchange(plan, rank: rank)
    return start == 0 ? factors : StagedExchange([(0, ExactExchange(plan)), (start, factors)])
  }
}

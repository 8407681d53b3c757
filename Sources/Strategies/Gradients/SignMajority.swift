import Communication
import Compression
import Configuration

/// Shards vote on the sign of every gradient, one bit up and one bit down (Bernstein, Wang, Azizzadenesheli,
/// Anandkumar, ICML 2018, "signSGD", algorithm 3; Bernstein, Zhao, Azizzadenesheli, Anandkumar, ICLR 2019).
///
///     the gradient applied is scale · sign Σ sign gₛ
///
/// The owner of each part of a bucket counts the votes about it.  One bit knows neither 0 nor a tie: both are +1 in even
/// steps and −1 in odd ones, so that weights without gradients, as behind dead units, go nowhere (a shard without
/// samples, as the last batch of an epoch may leave one, votes like that throughout).  So an odd number of shards decides
/// more than an even one.  A gradient that is not finite makes all of the part NaN for everybody, which ends training: a
/// Float32 beside the bits says so.  Shards vote on gradients, not on momenta as in Signum; the optimizer's momentum acts
/// on what was decided.  The learning rate wants to be that of Adam.
///
/// Sends per step and rank h(m − mᵣ) + (p − 1)mᵣ bytes, with h shards held by the rank: a part of nᵣ ≈ n/p gradients of
/// a bucket (whole lines of 16) takes mᵣ = 4 + ⌈nᵣ/8⌉ bytes, m is the sum over all parts and buckets; and the tail
/// (``CompressedStrategy``).  State: none.  With one worker it is signSGD.
public final class SignMajority: CompressedStrategy {
  /// The name in configurations.
  public static let name = "sign-majority"
  /// What it does.
  public static let help =
    "moves every parameter by the sign that most shards' gradients have (signSGD with majority vote)"

  private let scale: Double
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads the size of a vote.
  public init(options: inout Options) throws(ConfigurationError) {
    scale = try options.number("scale", default: 1, in: .positive, "magnitude of the gradients that a vote decides")
  }

  /// The messages.
  public func bytes(_ share: RankShare) -> StrategyBytes { AnsweredExchange.bytes(share, SignVote()) }

  /// Votes.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    let (vote, voters, scale) = (SignVote(), plan.tree.shards, Float(scale))
    return try AnsweredExchange(
      plan, vote, scale: { step in step % 2 == 0 ? (1, scale) : (-1, -scale) },
      answer: { messages, stride, count, answer in
        vote.majority(of: messages, stride: stride, voters: voters, count: count, into: answer)
      })
  }
}

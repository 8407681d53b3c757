import Communication
import Configuration
import Tensors

/// Adds the gradients of all shards, in the one order of `ShardTree`: the textbook method, with bits that do not depend on
/// the number of ranks.
///
/// Each bucket is cut into one part a rank; its owner adds the sums of all ranks in the order of the tree and gives the
/// result to everybody.  Sends per step and rank, with k sums a rank (1 where ranks divide shards evenly into powers of two)
/// and n scalars: 4n·(k + 1)·(p − 1)/p bytes, as much as a ring all-reduce where k = 1.  State: none.
public final class AllReduce: GradientStrategy {
  /// The name in configurations.
  public static let name = "allreduce"
  /// What it does.
  public static let help = "adds the gradients of all shards, every step"

  /// Sums of the largest subtrees are enough.
  public let grain = GradientGrain.subtrees
  /// All of them.
  public private(set) var ownedParameters = 0..<0
  private var sum: TreeSum?

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Makes room for every bucket.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    ownedParameters = 0..<plan.layout.parameterCount
    sum = TreeSum(plan, plan.buckets, of: grain)
  }

  /// Starts the sum of a bucket.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try sum?.start(bucket, blocks)
  }

  /// Moves the sums along.
  public func poll() throws(CommunicationError) { try sum?.poll() }

  /// Waits for every bucket; the first block holds the sums.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    try sum?.finish()
    return blocks[0]
  }

  /// The bytes of the sums.
  public func bytesSent(step: Int) -> Int? { sum?.bytesSent }
}

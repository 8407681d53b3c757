import Communication
import Tensors

/// The sum of all shards' gradients, in the order of the tree.
///
/// Sends 4(h(n − nᵣ) + (p − 1)nᵣ) bytes a bucket of n scalars, nᵣ of them owned, with h shards held by the rank.
public final class ExactExchange: BucketExchange {
  private let sum: TreeSum

  /// Sums of the gradients of every bucket.
  public init(_ plan: ExchangePlan) {
    sum = TreeSum(plan, plan.buckets.indices.map(plan.gradients(ofBucket:)), of: .shards)
  }

  /// Starts the sum.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try sum.start(bucket, blocks)
  }

  /// Waits for the sum, which lies in the first block.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try sum.finish(bucket)
  }

  /// Moves the sums along.
  public func poll() throws(CommunicationError) { try sum.poll() }

  /// The bytes of the sums.
  public func bytesSent(step: Int) -> Int { sum.bytesSent }
}

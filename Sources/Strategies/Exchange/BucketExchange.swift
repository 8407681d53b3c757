import Communication
import Tensors

/// A way to turn the gradients of all shards into the gradient to apply, bucket by bucket.  One object belongs to one
/// rank.
///
/// A step is, on every rank in the same order: `start` of every bucket; `turn` of every bucket, each after the `start`
/// of the bucket behind it, so that two buckets are under way at a time; `finish` of every bucket.  `poll` is called in
/// between.  `blocks` are the gradients of this rank's shards, the same in all calls, and are used up.
public protocol BucketExchange: AnyObject {
  /// The gradients of a bucket are final; sends what depends on them alone.
  func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError)
  /// Waits for what `start` sent, and sends what depends on that.
  func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError)
  /// Waits for everything, and writes the gradients of the bucket to the first block.
  func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError)
  /// Moves what was started along.
  func poll() throws(CommunicationError)
  /// What it remembers from step to step, as far as this rank holds it.
  var memory: [StrategyMemory] { get }
  /// Bytes that this rank sends in a step.
  func bytesSent(step: Int) -> Int
}

extension BucketExchange {
  /// Nothing is left to send.
  public func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {}
  /// Nothing.
  public var memory: [StrategyMemory] { [] }
}

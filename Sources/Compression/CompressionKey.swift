import Tensors

/// What the random numbers of a message are a function of.
public struct CompressionKey: Hashable, Sendable {
  /// The seed of the run.
  public var seed: UInt64
  /// The step, or the round.
  public var step: UInt64
  /// The shard, or the client; workers draw independently.
  public var worker: UInt64
  /// The bucket, or the parameter.
  public var bucket: UInt64

  /// A key; buckets and workers count from 0.
  public init(seed: UInt64, step: Int, worker: Int = 0, bucket: Int = 0) {
    self.seed = seed
    self.step = UInt64(step)
    self.worker = UInt64(worker)
    self.bucket = UInt64(bucket)
  }

  /// The stream of the step and bucket, the same for all workers.
  var sharedStream: RandomStream { RandomStream(seed: seed, .compression, epoch: step, layer: bucket) }
}

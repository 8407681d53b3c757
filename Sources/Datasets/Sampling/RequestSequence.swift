import Synchronization

/// What one batch is to hold.
public struct BatchRequest: Sendable {
  /// Numbers of the samples.
  public let samples: ArraySlice<Int32>
  /// The epoch they are read for.
  public let epoch: UInt64

  /// Samples for an epoch.
  public init(samples: ArraySlice<Int32>, epoch: UInt64) {
    self.samples = samples
    self.epoch = epoch
  }
}

/// The shard batches of a rank in the order it computes them: for each batch of the training, each of its shards.
///
/// The order of an epoch is made when its first batch is asked for and kept while it lasts.
public final class RequestSequence: Sendable {
  private let sampler: Sampler
  private let shards: Range<Int>
  private let first: Int
  private let end: Int
  private let current = Mutex<(epoch: Int, order: [Int32])>((-1, []))

  /// The shards `shards` of the batches `batches`, counted from the start of training.
  public init(_ sampler: Sampler, shards: Range<Int>, batches: Range<Int>) {
    precondition(shards.lowerBound >= 0 && shards.upperBound <= sampler.shards, "shards \(shards) of \(sampler.shards)")
    self.sampler = sampler
    self.shards = shards
    first = batches.lowerBound
    end = batches.upperBound
  }

  /// The n-th request, from 0; nil after the last.
  public func callAsFunction(_ index: Int) -> BatchRequest? {
    guard !shards.isEmpty, first + index / shards.count < end else { return nil }
    let (epoch, batch) = sampler.position(first + index / shards.count)
    let shard = shards.lowerBound + index % shards.count
    return current.withLock { current in
      if current.epoch != epoch { current = (epoch, sampler.order(epoch: epoch)) }
      return BatchRequest(samples: current.order[sampler.range(batch: batch, shard: shard)], epoch: UInt64(epoch))
    }
  }
}

import Tensors

/// The order of samples: per epoch a permutation keyed by (seed, shuffle, epoch), cut into batches, each cut into shards.
///
/// Nothing here knows a rank: the same sample stands in the same batch and shard whoever computes it.
public struct Sampler: Sendable, Hashable {
  /// Samples of the set.
  public let count: Int
  /// Samples of a whole batch over all shards; the last batch of an epoch holds what is left.
  public let batch: Int
  /// Logical shards a batch is cut into.
  public let shards: Int
  /// Seed of the shuffling; nil for the set's own order.
  public let seed: UInt64?

  /// Orders `count` samples in batches of `batch`.
  public init(count: Int, batch: Int, shards: Int = 1, seed: UInt64?) {
    precondition(count > 0 && batch > 0 && shards > 0, "\(count) samples in batches of \(batch), \(shards) shards")
    self.count = count
    self.batch = batch
    self.shards = shards
    self.seed = seed
  }

  /// Batches of an epoch.
  public var batches: Int { (count + batch - 1) / batch }

  /// Samples of batch `index` of an epoch.
  public func size(_ index: Int) -> Int { min(batch, count - index * batch) }

  /// Samples a shard holds at most.
  public var largestShard: Int { (min(batch, count) + shards - 1) / shards }

  /// The order of an epoch: sample numbers.  Work and memory grow with the set.
  public func order(epoch: Int) -> [Int32] {
    guard let seed else { return (0..<Int32(count)).map { $0 } }
    var stream = RandomStream(seed: seed, .shuffle, epoch: UInt64(epoch))
    return stream.permutation(count)
  }

  /// Places of the epoch's order that shard `shard` of batch `index` holds: ⌊k·n/S⌋ ..< ⌊(k+1)·n/S⌋ of its n samples.
  public func range(batch index: Int, shard: Int) -> Range<Int> {
    precondition(index >= 0 && index < batches && shard >= 0 && shard < shards, "shard \(shard) of batch \(index)")
    let size = size(index)
    let start = index * batch
    return (start + shard * size / shards)..<(start + (shard + 1) * size / shards)
  }

  /// The epoch and the batch in it of a batch counted from the start of training.
  public func position(_ global: Int) -> (epoch: Int, batch: Int) { (global / batches, global % batches) }

  /// Fixed chunks of a set in its own order, as evaluation runs them whoever computes them.
  public static func chunks(of count: Int, size: Int) -> [Range<Int>] {
    precondition(count >= 0 && size > 0, "chunks of \(size) of \(count)")
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }
}

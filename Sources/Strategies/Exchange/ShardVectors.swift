import Communication
import Tensors

/// A short vector for each shard of this rank, cut into a range a bucket, and its sum over all shards in the order of
/// the tree: for what stands for gradients and adds like them.
///
/// Sends 4(h(n − nᵣ) + (p − 1)nᵣ) bytes a range of n scalars, nᵣ of them owned, with h shards held by the rank.
final class ShardVectors {
  /// The vectors of this rank's shards, in order; a sum replaces a range of the first, and uses up the others.
  let blocks: [Storage]
  /// Sums by bucket.
  let sum: TreeSum

  /// Vectors of `counts[bucket]` scalars a bucket.  Collective.
  init(_ plan: ExchangePlan, counts: [Int]) throws(CommunicationError) {
    var end = 0
    let ranges = counts.map { count in
      defer { end += count }
      return end..<end + count
    }
    sum = TreeSum(plan, ranges, of: .shards)
    let (total, stride) = (end, (end + 15) / 16 * 16)
    let memory = try plan.communicator.allocate(byteCount: 4 * stride * plan.shards.count)
    blocks = plan.shards.indices.map { index in
      let first = memory.base.assumingMemoryBound(to: Float.self) + (index - plan.shards.lowerBound) * stride
      return Storage(wrapping: first, count: total) { withExtendedLifetime(memory) {} }
    }
  }

  /// Where a shard's vector of a bucket begins; `index` counts this rank's shards.
  func vector(_ index: Int, bucket: Int) -> UnsafeMutablePointer<Float> {
    blocks[index].base + sum.ranges[bucket].lowerBound
  }
}

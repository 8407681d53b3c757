import Datasets
import Tensors

/// One shard of a worker whose shards run side by side: what it holds from one meeting to the next.
final class ShardLane {
  /// The logical shard.
  let shard: Int
  /// Its gradient: the sum over the step's batches.
  let leaf: Storage
  /// Its activations.
  let pool: Pool
  /// Programs by batch size.
  var executors: [Int: Executor] = [:]
  /// The present batch.
  var batch: Batch?
  /// What runs over it; nil where the shard has no samples in it.
  var executor: Executor?
  /// Where the gradient of a batch goes that is not the step's first.
  private(set) var further: Storage?
  /// Whether an earlier batch of the step has left its gradient.
  var isFilled = false

  /// A lane whose gradient goes to `leaf`.
  init(_ shard: Int, leaf: Storage, pool: Pool) {
    self.shard = shard
    self.leaf = leaf
    self.pool = pool
  }

  /// Where the gradient of the present batch goes.
  func target(_ block: GradientBlock) -> Storage {
    guard isFilled else { return leaf }
    if let further { return further }
    let made = block.make()
    further = made
    return made
  }

  /// Adds a range of what the present batch has left to that of earlier ones.
  func add(_ range: Range<Int>) {
    guard executor != nil, isFilled, let further else { return }
    VectorMath.add(further.base + range.lowerBound, to: leaf.base + range.lowerBound, count: range.count)
  }
}

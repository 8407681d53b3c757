import Communication
import Tensors

/// What a strategy knows before the first step.
public struct ExchangePlan: Sendable {
  /// The ranks; what passes through is counted as sent by the strategy.
  public let communicator: any Communicator
  /// The same ranks for what is no part of a step: evaluation, checkpoints.
  private let uncounted: any Communicator
  /// The order of addition.
  public let tree: ShardTree
  /// Names and ranges of the parameters.
  public let layout: ParameterLayout
  /// Ranges of a gradient block that are exchanged one by one, in this order.  The first ends with the tail.
  public let buckets: [Range<Int>]
  /// Scalars of a gradient block, its tail included.
  public let scalars: Int
  /// The experiment's seed.
  public let seed: UInt64
  /// Steps of an epoch.
  public let stepsPerEpoch: Int

  /// All of it; `uncounted` is the communicator that `communicator` counts for, where there is one.
  public init(
    communicator: any Communicator, uncounted: (any Communicator)? = nil, tree: ShardTree, layout: ParameterLayout,
    buckets: [Range<Int>], scalars: Int, seed: UInt64, stepsPerEpoch: Int = 1
  ) {
    self.communicator = communicator
    self.uncounted = uncounted ?? communicator
    self.tree = tree
    self.layout = layout
    self.buckets = buckets
    self.scalars = scalars
    self.seed = seed
    self.stepsPerEpoch = stepsPerEpoch
  }

  /// The same plan for what is no part of a step.
  public var aside: ExchangePlan {
    ExchangePlan(
      communicator: uncounted, tree: tree, layout: layout, buckets: buckets, scalars: scalars, seed: seed,
      stepsPerEpoch: stepsPerEpoch)
  }

  /// The logical shards that this rank holds.
  public var shards: Range<Int> { tree.shards(of: communicator.rank, parts: communicator.size) }

  /// The gradients of a bucket, without the tail that rides with the first.
  public func gradients(ofBucket bucket: Int) -> Range<Int> { buckets[bucket].clamped(to: 0..<layout.parameterCount) }

  /// Scalars behind the gradients: statistics and sums of the step.
  public var tail: Range<Int> { layout.parameterCount..<scalars }

  /// The sums that a rank holds: the largest subtrees within its shards.
  public func subtrees(of rank: Int) -> [Range<Int>] {
    tree.subtrees(in: tree.shards(of: rank, parts: communicator.size))
  }
}

import Tensors

/// What a rank has of a training, known before anything is allocated.
public struct RankShare: Sendable {
  /// Names and ranges of the parameters.
  public let layout: ParameterLayout
  /// The order of addition.
  public let tree: ShardTree
  /// The rank.
  public let rank: Int
  /// All ranks.
  public let ranks: Int

  /// The share of one of so many ranks.
  public init(_ layout: ParameterLayout, _ tree: ShardTree, rank: Int, ranks: Int) {
    self.layout = layout
    self.tree = tree
    self.rank = rank
    self.ranks = ranks
  }

  /// The logical shards that the rank holds.
  public var shards: Range<Int> { tree.shards(of: rank, parts: ranks) }
  /// The sums that it holds: the largest subtrees within its shards.
  public var subtrees: [Range<Int>] { tree.subtrees(in: shards) }
  /// Bytes of a vector of all weights.
  public var weightBytes: Int { 4 * layout.parameterCount }
  /// Bytes of a vector of all weights and states.
  public var modelBytes: Int { 4 * (layout.parameterCount + layout.stateCount) }
}

/// Bytes that a strategy takes on a rank beside replicas and the blocks of gradients: what grows with the model.
public struct StrategyBytes: Sendable, Hashable {
  /// Bytes of ``CommunicationStrategy/memory``, which checkpoints hold.
  public var remembered: Int
  /// Bytes of messages and sums.
  public var working: Int

  /// So many bytes.
  public init(remembered: Int = 0, working: Int = 0) {
    self.remembered = remembered
    self.working = working
  }
}

import Tensors

/// A block of numbers that a strategy remembers, which checkpoints hold.
public struct StrategyMemory {
  /// Who has it.
  public enum Owner: Sendable, Hashable {
    /// Every rank has the same.
    case everyone
    /// The rank that holds this logical shard.
    case shard(Int)
  }

  /// What it is, such as `residual`; unique for its owner.
  public let name: String
  /// Who has it.
  public let owner: Owner
  /// Its scalars; as many whatever the number of ranks.
  public let storage: Storage

  /// A block with its name and owner.
  public init(_ name: String, of owner: Owner, _ storage: Storage) {
    self.name = name
    self.owner = owner
    self.storage = storage
  }

  /// The name in checkpoints: `residual` or `shard3.residual`.
  public var key: String {
    switch owner {
    case .everyone: name
    case .shard(let shard): "shard\(shard).\(name)"
    }
  }
}

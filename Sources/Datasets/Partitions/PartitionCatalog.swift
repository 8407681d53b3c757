import Configuration

/// Every way to give clients their samples: the visible list.
public enum PartitionCatalog {
  /// All of them.
  public static let all: [any PartitionKind.Type] = [
    EvenPartition.self,
    DirichletPartition.self,
    ShardPartition.self,
    ClassPartition.self,
    QuantityPartition.self,
    NaturalPartition.self,
    ResamplePartition.self,
  ]

  /// The keys of a kind, as they stand below `federated:`.
  public static func document(_ kind: any PartitionKind.Type) -> [KeyDescription] {
    Options.document(choosing: ["federated.partition": kind.name], path: "federated") {
      (options) throws(ConfigurationError) in _ = try PartitionOptions(&options)
    }.filter { $0.key.hasPrefix("federated.partition.") }
  }
}

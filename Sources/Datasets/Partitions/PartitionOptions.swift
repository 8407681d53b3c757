import Configuration

/// The keys `clients` and `partition` of a configuration's `federated:` section: who the clients are and what they hold.
public struct PartitionOptions: Sendable {
  /// The name of the kind.
  public let name: String
  /// Clients, where the configuration says so; nil takes the groups of the data.
  public let clients: Int?
  private let kind: any PartitionKind
  private let place: Place

  /// Most clients there can be.
  private static let limit = 1_000_000_000

  /// Reads the keys from the section.
  public init(_ options: inout Options) throws(ConfigurationError) {
    let kind = try options.named(
      "partition", of: PartitionCatalog.all.map { $0.name }, default: EvenPartition.name,
      "how training samples are given to clients"
    ) { (name, options) throws(ConfigurationError) -> any PartitionKind in
      guard let type = PartitionCatalog.all.first(where: { $0.name == name }) else {
        preconditionFailure("\(name) was checked")
      }
      return try type.init(&options)
    }
    let type = Swift.type(of: kind)
    let help = "clients there are"
    clients =
      type.countsGroups
      ? try options.optionalInteger("clients", in: 1...PartitionOptions.limit, unit: "clients", help)
      : try options.integer("clients", in: 1...PartitionOptions.limit, unit: "clients", help)
    self.kind = kind
    name = type.name
    place = options.place
  }

  /// Gives the samples of a training set to clients.  Throws where it cannot be done, with the counts.
  public func partition(_ source: any DataSource, seed: UInt64) throws(ConfigurationError) -> Partition {
    try partition(PartitionedSet(source), seed: seed)
  }

  /// Gives samples to clients.  Throws where it cannot be done, with the counts.
  public func partition(_ set: PartitionedSet, seed: UInt64) throws(ConfigurationError) -> Partition {
    do throws(PartitionRefusal) {
      return try kind.partition(set, clients: clients ?? set.groups?.names.count ?? 1, seed: seed)
    } catch {
      throw ConfigurationError("federated.partition: \(error.message)", at: place)
    }
  }
}

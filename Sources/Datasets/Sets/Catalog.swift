/// Every data set and file format that configurations can name: the visible list.
public enum Catalog {
  /// The named sets.
  public static let sets: [CatalogEntry] = [
    .digits,
    .mnist,
    .mnistWriters,
    .fashionMNIST,
    .cifar10,
    .cifar100,
    .tinyShakespeare,
    .omniglot,
    .cora,
    .citeseer,
  ]

  /// The file formats that `format:` with `path:` reads.
  public static let formats: [CatalogEntry] = [
    .idx,
    .cifar,
    .csv,
    .npy,
    .npz,
    .safetensors,
    .text,
    .graph,
  ]

  /// The named set, if there is one.
  public static func set(_ name: String) -> CatalogEntry? { sets.first { $0.name == name } }

  /// Where a set is, or is not.
  public struct Location: Sendable {
    /// The set.
    public let entry: CatalogEntry
    /// The folder it was found in; nil for what is built in or missing.
    public let folder: String?
    /// What was found: `built in`, `70,000 images`, `1 of 5 training batches`; nil when it is missing.
    public let found: String?
    /// The folders that were searched, in order.
    public let searched: [String]

    /// How to get what is missing or incomplete; nil when there is nothing to do.
    public var remedy: String? { found == nil ? entry.remedy : nil }
  }

  /// Looks for a set in its places; the first folder that holds it counts.
  public static func locate(_ entry: CatalogEntry, in places: SearchPlaces = .standard) -> Location {
    if entry.isBuiltIn { return Location(entry: entry, folder: nil, found: "built in", searched: []) }
    let folders = places.folders(of: entry.folder)
    for folder in folders {
      if let found = entry.contents(folder) {
        return Location(entry: entry, folder: folder, found: found, searched: folders)
      }
    }
    return Location(entry: entry, folder: nil, found: nil, searched: folders)
  }

  /// Looks for every set, for `nndist data list`.
  public static func locateAll(in places: SearchPlaces = .standard) -> [Location] {
    sets.map { locate($0, in: places) }
  }
}

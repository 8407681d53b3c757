import Configuration
import Tensors

/// Whoever made the samples: writers, speakers, drawers.
///
/// With fewer clients than groups, groups are dealt to clients at random, as many to each within one (as NIID-Bench deals
/// the writers of FEMNIST, Q. Li et al. 2022).
struct NaturalPartition: DealtPartition {
  static let name = "natural"
  static let help = "one client for each writer, speaker or drawer of the data, or several of them for each client"
  static let countsGroups = true

  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) { minimum = try options.minimum() }

  func refusal(_ set: PartitionedSet, clients: Int) -> String? {
    guard let groups = set.groups else {
      return
        "`natural` needs data that say who made each sample: mnist-writers, omniglot, tinyshakespeare with speakers: true"
    }
    return clients <= groups.names.count
      ? nil : "\(clients) clients are more than the \(groups.names.count) groups of the data; lower federated.clients"
  }

  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool { clients != set.groups?.names.count }

  func deal(_ draw: inout PartitionDraw) {
    guard let groups = draw.set.groups else { return }
    let count = groups.names.count
    var owners = (0..<Int32(count)).map { $0 }
    if draw.clients < count {
      var stream = draw.stream(.choice)
      for (place, group) in stream.permutation(count).enumerated() {
        owners[Int(group)] = Int32(place % draw.clients)
      }
    }
    for (sample, group) in groups.numbers.enumerated() {
      draw.give(CollectionOfOne(Int32(sample)), to: Int(owners[Int(group)]))
    }
  }
}

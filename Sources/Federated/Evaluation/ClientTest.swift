import Configuration
import Datasets
import Tensors

/// Which clients are judged, and on which samples.
///
/// Samples lie in groups that clients have whole, one a class or one a client: what a model makes of a group counts for every
/// client that has it.
public struct ClientTest: Sendable {
  /// The clients that are judged, ascending: those that have samples to train and to be judged on.
  public let clients: [Int32]
  let source: any DataSource
  /// Samples of each group, ascending.
  let groups: [[Int32]]
  /// The groups of each judged client, by its place, ascending.
  let groupsOfClients: [[Int32]]

  /// Clients of a partition judged on all samples of `test` whose class they hold in `training`.
  init(
    clients: [Int32], _ partition: Partition, ownLabelsIn test: any DataSource, training: any DataSource
  ) throws(ConfigurationError) {
    var groups = [[Int32]](repeating: [], count: max(test.classCount ?? 0, training.classCount ?? 0))
    for sample in 0..<test.count { if let label = test.label(sample) { groups[label].append(Int32(sample)) } }
    var labels = [Int32](repeating: -1, count: partition.total)
    var samples: [Int32] = []
    let held = clients.map { client -> [Int32] in
      partition.samples(of: Int(client), into: &samples)
      var isHeld = [Bool](repeating: false, count: groups.count)
      for sample in samples {
        // A source may have to read a whole sample for its label, and clients may share samples.
        if labels[Int(sample)] < 0 { labels[Int(sample)] = Int32(training.label(Int(sample)) ?? 0) }
        isHeld[Int(labels[Int(sample)])] = true
      }
      return isHeld.indices.filter { isHeld[$0] }.map(Int32.init)
    }
    try self.init(clients, test, groups, held)
  }

  /// Clients of a partition judged on what another holds out of `source` for each of them.
  init(
    clients: [Int32], _ partition: Partition, heldOut: Partition, of source: any DataSource
  ) throws(ConfigurationError) {
    let groups = clients.map { client in
      var samples: [Int32] = []
      if partition.count(of: Int(client)) > 0 { heldOut.samples(of: Int(client), into: &samples) }
      return samples
    }
    try self.init(clients, source, groups, clients.indices.map { [Int32($0)] })
  }

  private init(
    _ clients: [Int32], _ source: any DataSource, _ groups: [[Int32]], _ groupsOfClients: [[Int32]]
  ) throws(ConfigurationError) {
    let judged = clients.indices.filter { place in groupsOfClients[place].contains { !groups[Int($0)].isEmpty } }
    guard !judged.isEmpty else {
      throw ConfigurationError(
        "federated.evaluation: none of \(clients.count) clients has samples to be judged on; give clients more samples or "
          + "leave the section out")
    }
    self.clients = judged.map { clients[$0] }
    self.source = source
    self.groups = groups
    self.groupsOfClients = judged.map { groupsOfClients[$0] }
  }

  /// Which clients are judged: the same in all rounds.
  static func choose(_ count: Int, of all: Int, seed: UInt64) -> [Int32] {
    var chosen: [Int32] = []
    // Rounds of training are counted from 0.
    CohortSampler(.fixed(count), clients: all, seed: seed)
      .select(round: -1, isAvailable: { _ in true }, into: &chosen, CohortScratch())
    return chosen
  }

  /// The samples of a group in pieces.
  func pieces(of group: Int, size: Int) -> [ArraySlice<Int32>] {
    Sampler.chunks(of: groups[group].count, size: size).map { groups[group][$0] }
  }

  /// Samples that the client of a place is judged on.
  func count(_ place: Int) -> Int { groupsOfClients[place].reduce(0) { $0 + groups[Int($1)].count } }
}

import Configuration
import Tensors

/// So many classes for each client (NIID-Bench's #label=C, Q. Li et al. 2022): client i holds class i mod K and C − 1 others
/// at random; the holders of a class share its samples equally.  A class that no client holds is nobody's.
struct ClassPartition: DealtPartition {
  static let name = "classes"
  static let help = "each client holds so many classes, and the holders of a class share its samples equally"

  let classesPerClient: Int
  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    classesPerClient = try options.integer(
      "classes-per-client", default: 2, in: 1...65536, unit: "classes", "classes of one client")
    minimum = try options.minimum()
  }

  func refusal(_ set: PartitionedSet, clients: Int) -> String? {
    if let refusal = set.lacksLabels(ClassPartition.name) { return refusal }
    guard classesPerClient <= set.classes else {
      return "\(classesPerClient) classes for each client are more than the \(set.classes) there are; lower "
        + "partition.classes-per-client"
    }
    return nil
  }

  // One class or all of them leave nothing to choose.
  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool {
    classesPerClient > 1 && classesPerClient < set.classes
  }

  func deal(_ draw: inout PartitionDraw) {
    let classes = draw.set.classes
    var holders = [[Int32]](repeating: [], count: classes)
    var chosen: [Int] = []
    for client in 0..<draw.clients {
      // R. Floyd's choice of distinct numbers (CACM 1987), of the K − 1 classes that come after the first.
      let first = client % classes
      var stream = draw.stream(.choice, of: client)
      chosen.removeAll(keepingCapacity: true)
      chosen.append(0)
      for limit in (classes - classesPerClient + 1)..<classes {
        let candidate = 1 + stream.below(limit)
        chosen.append(chosen.contains(candidate) ? limit : candidate)
      }
      for step in chosen { holders[(first + step) % classes].append(Int32(client)) }
    }
    for (label, samples) in (draw.set.samplesByClass() ?? []).enumerated() {
      var order = draw.stream(.order, of: label)
      draw.giveEqually(samples.shuffled(by: &order), to: holders[label])
    }
  }
}

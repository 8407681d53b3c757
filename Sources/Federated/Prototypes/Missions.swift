import Tensors

/// Cuts a client's samples into missions: each brings some samples of some of its classes, none of them twice.
///
/// R. Logan et al. (2021) let clients draw from a pool that they share; here each draws from its own part of a partition.
package struct Missions: Sendable, Hashable {
  /// Classes of a mission.
  let classes: Int
  /// Samples of each of them at most.
  let shots: Int

  /// Missions of such sizes.
  package init(classes: Int, shots: Int) {
    precondition(classes >= 1 && shots >= 1, "missions of \(classes) classes, \(shots) samples each")
    self.classes = classes
    self.shots = shots
  }

  /// The samples of a client's mission, counted from 0: none once all have been brought.
  ///
  /// Classes come in a random order of the client's own.  Where a class has more samples than a mission takes, the rest comes
  /// after all classes have had their turn.
  package func samples(
    _ mission: Int, client: Int, of samples: [Int32], seed: UInt64, label: (Int32) -> Int
  ) -> [Int32] {
    var random = RandomStream(seed: seed, .episode, sample: UInt64(client), layer: 3)
    var order = samples.sorted()
    for place in order.indices { order.swapAt(place, place + random.below(order.count - place)) }
    let byClass = Dictionary(grouping: order, by: label)
    var labels = byClass.keys.sorted()
    for place in labels.indices { labels.swapAt(place, place + random.below(labels.count - place)) }
    var portions: [ArraySlice<Int32>] = []
    var turn = 0
    while true {
      let before = portions.count
      for label in labels {
        guard let known = byClass[label], turn * shots < known.count else { continue }
        portions.append(known[turn * shots..<min(known.count, (turn + 1) * shots)])
      }
      if portions.count == before { break }
      turn += 1
    }
    return portions.dropFirst(mission * classes).prefix(classes).flatMap { $0 }
  }
}

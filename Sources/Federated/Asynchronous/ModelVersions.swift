import Layers
import Tensors

/// The versions of the model that clients may still be training on: copies of those that the last updates began with, and the
/// server's own, which is the newest.
///
/// Memory: as many models as updates may be old, on every rank and in checkpoints.
final class ModelVersions {
  private let newest: Broadcast
  /// Version v lies at v modulo their number.
  private let copies: [Broadcast]

  /// Room for so many versions before the newest.
  init(_ count: Int, before newest: Broadcast, _ layout: ParameterLayout) {
    self.newest = newest
    copies = (0..<count).map { _ in Broadcast(ParameterStore(layout), sharing: newest.blocks) }
  }

  /// A version where another one is the newest.
  func version(_ version: Int, newest present: Int) -> Broadcast {
    precondition(version <= present && present - version <= copies.count, "version \(version) of \(present)")
    return version == present ? newest : copies[version % copies.count]
  }

  /// Keeps the newest version, before it is moved on.
  func keep(_ version: Int) {
    guard !copies.isEmpty else { return }
    let copy = copies[version % copies.count].model
    for (kept, own) in [(copy.parameters, newest.model.parameters), (copy.states, newest.model.states)] {
      kept.base.update(from: own.base, count: own.count)
    }
  }

  /// The copies, for checkpoints.
  var memory: [ServerMemory] {
    copies.enumerated().flatMap { place, copy in
      [
        ServerMemory("\(place)/parameters", copy.model.parameters), ServerMemory("\(place)/states", copy.model.states),
      ]
    }
  }
}

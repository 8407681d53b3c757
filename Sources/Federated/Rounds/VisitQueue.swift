import Communication
import Synchronization

/// Hands out the places of a cohort to threads and ranks, each place once.
///
/// Clients that remember something are always visited by the same rank, the one of their number modulo the ranks.
final class VisitQueue: Sendable {
  private let rank: Int
  private let size: Int
  private let taken = Atomic<Int>(0)
  private let count = Atomic<Int>(0)

  init(_ communicator: any Communicator) throws {
    rank = communicator.rank
    size = communicator.size
  }

  /// Starts over with so many places.
  func begin(count: Int) {
    taken.store(0, ordering: .relaxed)
    self.count.store(count, ordering: .releasing)
  }

  /// The next place for the calling thread; nil after the last.  `client` says whose place it is, where ranks keep their
  /// clients.
  func next(_ client: ((Int) -> Int32)?) -> Int? {
    let count = count.load(ordering: .acquiring)
    while true {
      let place = taken.wrappingAdd(1, ordering: .relaxed).oldValue
      guard place < count else { return nil }
      let owner = client.map { Int($0(place)) } ?? place
      if owner % size == rank { return place }
    }
  }
}

import Communication
import Synchronization

/// Hands out the places of a cohort to threads and ranks, each place once: whoever is idle takes the next.
///
/// Clients that remember something are always visited by the same rank, the one of their number modulo the ranks.
final class VisitQueue: Sendable {
  private let rank: Int
  private let size: Int
  /// Threads of all ranks: each takes one ticket too many in a round.
  private let takers: Int
  /// What ranks share; nil where each goes through the places for itself.
  private let counter: (any TicketCounter)?
  private let taken = Atomic<Int>(0)
  private let count = Atomic<Int>(0)
  /// The ticket of a round's first place.
  private let first = Atomic<Int>(0)

  /// A queue for so many threads of this rank.  Collective.
  init(threads: Int, keepsClients: Bool, _ communicator: any Communicator) throws {
    rank = communicator.rank
    size = communicator.size
    guard size > 1, !keepsClients else {
      takers = threads
      counter = nil
      return
    }
    var all = [Int64(threads)]
    try all.withUnsafeMutableBufferPointer { (all) throws in try communicator.allReduce(all, .sum) }
    takers = Int(all[0])
    first.store(-takers, ordering: .relaxed)
    counter = try communicator.makeTicketCounter()
  }

  /// Starts a round of so many places, after all threads of all ranks have ended the one before.
  func begin(count: Int) {
    let before = self.count.load(ordering: .relaxed)
    first.wrappingAdd(before + takers, ordering: .relaxed)
    taken.store(0, ordering: .relaxed)
    self.count.store(count, ordering: .releasing)
  }

  /// The next place for the calling thread; nil after the last.  `client` says whose place it is.
  func next(_ client: (Int) -> Int32) throws(CommunicationError) -> Int? {
    let count = count.load(ordering: .acquiring)
    if let counter {
      let place = try counter.next() - first.load(ordering: .relaxed)
      return place < count ? place : nil
    }
    while true {
      let place = taken.wrappingAdd(1, ordering: .relaxed).oldValue
      guard place < count else { return nil }
      if size == 1 || Int(client(place)) % size == rank { return place }
    }
  }
}

import Synchronization

/// Tickets of ranks that are threads.
final class AtomicTicketCounter: TicketCounter {
  private let taken = Atomic<Int>(0)

  func next() -> Int { taken.add(1, ordering: .relaxed).oldValue }
}

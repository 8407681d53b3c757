import Communication
import Synchronization

/// Tickets of processes that share memory: one word of rank 0's, which all add to without asking anybody.
///
/// `@unchecked Sendable`: the word is atomic and lives as long as `memory`, which every rank holds of its own; rank 0's is what
/// they use, and stays mapped while any process of the host runs.
final class WindowTicketCounter: TicketCounter, @unchecked Sendable {
  private let memory: CommunicatorMemory
  private let word: UnsafeMutablePointer<Atomic<Int>>

  init(_ word: UnsafeMutableRawPointer, keeping memory: CommunicatorMemory) {
    self.word = word.assumingMemoryBound(to: Atomic<Int>.self)
    self.memory = memory
  }

  func next() -> Int { word.pointee.add(1, ordering: .relaxed).oldValue }
}

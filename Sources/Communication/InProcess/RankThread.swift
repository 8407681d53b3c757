import Glibc
import Synchronization

/// One rank's thread: what it has in flight in all its communicators, and the bell that others ring for it.
///
/// A rank waits for everything at once: whatever becomes ready in any group is done while it waits, so that requests may
/// be waited for in any order.
///
/// `@unchecked Sendable`: `inFlight` is touched by its own thread only; the rest is atomic or guarded by `mutex`.
final class RankThread: @unchecked Sendable {
  /// The rank in the whole world.
  let rank: Int
  private let patience: Patience
  private let losses: Losses
  private var inFlight: [InFlight] = []
  private var nextIdentifier = 0

  private let rings = Atomic<Int>(0)
  private let departed = Atomic<Bool>(false)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let bell = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  private struct InFlight {
    let identifier: Int
    let meeting: Meeting
    let slot: Int
    let group: InProcessGroup
    let exchange: Exchange
    var contributed: Bool
  }

  init(rank: Int, patience: Patience, losses: Losses) {
    self.rank = rank
    self.patience = patience
    self.losses = losses
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(bell, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(bell)
    pthread_mutex_destroy(mutex)
    bell.deallocate()
    mutex.deallocate()
  }

  /// Tells the thread that something changed; from any thread.
  func ring() {
    pthread_mutex_lock(mutex)
    rings.add(1, ordering: .releasing)
    pthread_cond_signal(bell)
    pthread_mutex_unlock(mutex)
  }

  /// Marks the rank as gone; its peers are rung by its company.
  func depart() { departed.store(true, ordering: .sequentiallyConsistent) }
  var hasDeparted: Bool { departed.load(ordering: .sequentiallyConsistent) }

  /// Requests of one group that were not waited for.
  func pending(in group: InProcessGroup) -> Int {
    var count = 0
    for flight in inFlight where flight.group === group { count += 1 }
    return count
  }

  /// What is in flight, in words.
  var unfinished: [String] { inFlight.map { $0.exchange.described(ranks: $0.group.size) } }

  /// Takes note of a call that was posted.
  func add(_ exchange: Exchange, _ meeting: Meeting, slot: Int, _ group: InProcessGroup) -> Request {
    nextIdentifier += 1
    inFlight.append(
      InFlight(
        identifier: nextIdentifier, meeting: meeting, slot: slot, group: group, exchange: exchange,
        contributed: false))
    return Request(identifier: nextIdentifier, of: exchange)
  }

  /// Moves everything forward; whether this request is finished.
  func test(_ request: Request) throws(CommunicationError) -> Bool {
    progress()
    let flight = inFlight[index(of: request)]
    if flight.meeting.isFinished { return true }
    try checkHope(flight)
    return false
  }

  /// Returns when the request is finished.
  func wait(_ request: Request) throws(CommunicationError) {
    let deadline = monotonicNanoseconds() + patience.nanoseconds
    while true {
      let heard = rings.load(ordering: .acquiring)
      progress()
      let index = index(of: request)
      let flight = inFlight[index]
      if flight.meeting.isFinished {
        inFlight.remove(at: index)
        flight.group.release(flight.meeting)
        return
      }
      try checkHope(flight)
      if listen(after: heard) { continue }
      if !sleep(after: heard, until: deadline) || monotonicNanoseconds() > deadline {
        throw flight.group.timeout(flight.meeting, flight.exchange, flight.slot, patience)
      }
    }
  }

  /// Does nothing until `deadline`; false once all others of `members` have departed.
  func idle(among members: [RankThread], until deadline: UInt64) -> Bool {
    while true {
      let heard = rings.load(ordering: .acquiring)
      if members.allSatisfy({ $0 === self || $0.hasDeparted }) { return false }
      if !sleep(after: heard, until: deadline) { return true }
    }
  }

  private func index(of request: Request) -> Int {
    guard let index = inFlight.firstIndex(where: { $0.identifier == request.identifier }) else {
      preconditionFailure("request \(request.identifier) (\(request.kind.name)) was waited for before")
    }
    return index
  }

  private func progress() {
    for index in inFlight.indices where !inFlight[index].contributed {
      let flight = inFlight[index]
      if flight.meeting.everyoneArrived && !flight.meeting.isRefused {
        flight.meeting.contribute(slot: flight.slot)
        inFlight[index].contributed = true
      }
    }
  }

  /// Throws if an unfinished exchange can no longer finish.
  private func checkHope(_ flight: InFlight) throws(CommunicationError) {
    if flight.meeting.isRefused, let refusal = flight.meeting.refusal { throw refusal }
    // A rank that leaves in good order has waited for all it took part in. So what is unfinished after seeing it gone
    // will stay so; the second look is needed because it may have finished between the first and its leaving.
    for (slot, other) in flight.meeting.participants.enumerated() where other.hasDeparted {
      if flight.meeting.isFinished { return }
      let call = flight.exchange.described(ranks: flight.group.size)
      let own = flight.meeting.ranks[flight.slot]
      throw losses.error(of: other.rank, "rank \(own) was waiting for rank \(flight.meeting.ranks[slot]) in \(call)")
    }
  }

  /// Spins for a moment; true if the bell rang.
  private func listen(after heard: Int) -> Bool {
    let end = monotonicNanoseconds() + Patience.spin
    while true {
      for _ in 0..<64 where rings.load(ordering: .acquiring) != heard { return true }
      if monotonicNanoseconds() > end { return false }
    }
  }

  /// Blocks until the bell rings; false if it did not before the deadline.
  private func sleep(after heard: Int, until deadline: UInt64) -> Bool {
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while rings.load(ordering: .acquiring) == heard {
      if pthread_cond_timedwait(bell, mutex, &time) == ETIMEDOUT { return rings.load(ordering: .acquiring) != heard }
    }
    return true
  }
}

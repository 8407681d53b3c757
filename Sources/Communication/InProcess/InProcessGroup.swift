import Glibc

/// The ranks of one in-process communicator: where their calls find each other.
///
/// `@unchecked Sendable`: all state is guarded by the lock.
final class InProcessGroup: @unchecked Sendable {
  /// The threads, by rank in this group.
  let members: [RankThread]
  /// Ranks in this group.
  var size: Int { members.count }

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var open: [Meeting] = []
  private var spare: [Meeting] = []
  private var subgroups: [SubgroupKey: (group: InProcessGroup, taken: Int)] = [:]
  private var counters: [Int: (counter: AtomicTicketCounter, taken: Int)] = [:]

  private struct SubgroupKey: Hashable {
    let call: Int
    let color: Int
  }

  init(members: [RankThread]) {
    self.members = members
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Adds a rank's call to its meeting; the last to come wakes the others. Throws if the calls contradict each other.
  func join(
    _ exchange: Exchange, rank: Int, collective number: Int
  ) throws(CommunicationError) -> (meeting: Meeting, slot: Int) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let (meeting, slot) = place(exchange, rank, number)
    if let refusal = meeting.refusal { throw refusal }
    if let problem = contradiction(exchange, slot, meeting) {
      meeting.refuse(problem)
      meeting.ring(except: slot)
      throw problem
    }
    meeting.post(exchange, slot: slot)
    if meeting.everyoneArrived {
      if let problem = unequalPair(meeting) {
        meeting.refuse(problem)
        meeting.ring(except: slot)
        throw problem
      }
      meeting.ring(except: slot)
    }
    return (meeting, slot)
  }

  /// Forgets a meeting once all participants have.
  func release(_ meeting: Meeting) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    meeting.released += 1
    guard meeting.released == meeting.posted.count else { return }
    open.removeAll { $0 === meeting }
    if case .collective = meeting.key { spare.append(meeting) }
  }

  /// The group of one color in the n-th split of this group; built by the first of its members to ask.
  func subgroup(call: Int, color: Int, ranks: [Int]) -> InProcessGroup {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let key = SubgroupKey(call: call, color: color)
    var entry = subgroups[key] ?? (InProcessGroup(members: ranks.map { members[$0] }), 0)
    entry.taken += 1
    subgroups[key] = entry.taken == ranks.count ? nil : entry
    return entry.group
  }

  /// The n-th counter of this group; made by the first of its members to ask.
  func counter(call: Int) -> AtomicTicketCounter {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    var entry = counters[call] ?? (AtomicTicketCounter(), 0)
    entry.taken += 1
    counters[call] = entry.taken == size ? nil : entry
    return entry.counter
  }

  /// The error of a rank whose patience ended.
  func timeout(_ meeting: Meeting, _ exchange: Exchange, _ slot: Int, _ patience: Patience) -> CommunicationError {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let call = exchange.described(ranks: size)
    let missing = meeting.absentees.map { "\($0) to join" } ?? "the others to finish"
    let others = calls(meeting).filter { $0.slot != slot }.map { "; rank \(meeting.ranks[$0.slot]) \($0.words)" }
    return CommunicationError(
      .timeout,
      "rank \(meeting.ranks[slot]) waited \(patience.described) for \(missing) \(call)\(others.joined()); "
        + "\(Patience.variable) sets the limit")
  }

  // MARK: Under the lock

  private func place(_ exchange: Exchange, _ rank: Int, _ number: Int) -> (Meeting, Int) {
    let key: Meeting.Key
    let slot: Int
    switch exchange.kind {
    case .send: (key, slot) = (.message(from: rank, to: exchange.peer, tag: exchange.tag), 0)
    case .receive: (key, slot) = (.message(from: exchange.peer, to: rank, tag: exchange.tag), 1)
    default: (key, slot) = (.collective(number), rank)
    }
    // Messages with one key are in the order of their first end: the first that still lacks this end is the right one.
    if let meeting = open.first(where: { $0.key == key && $0.posted[slot] == nil }) { return (meeting, slot) }
    let meeting: Meeting
    switch key {
    case .message(let from, let to, _):
      meeting = Meeting(key: key, participants: [members[from], members[to]], ranks: [from, to])
    case .collective:
      if let spare = spare.popLast() {
        spare.reset(key: key)
        meeting = spare
      } else {
        meeting = Meeting(key: key, participants: members, ranks: Array(members.indices))
      }
    }
    open.append(meeting)
    return (meeting, slot)
  }

  private func contradiction(_ exchange: Exchange, _ slot: Int, _ meeting: Meeting) -> CommunicationError? {
    guard let other = meeting.posted.indices.first(where: { meeting.posted[$0] != nil }),
      let call = meeting.posted[other]
    else { return nil }
    let agree: Bool
    switch exchange.kind {
    case .send: agree = exchange.type == call.type && exchange.inputCount == call.outputCount
    case .receive: agree = exchange.type == call.type && exchange.outputCount == call.inputCount
    default: agree = exchange.fingerprint(ranks: size) == call.fingerprint(ranks: size)
    }
    return agree ? nil : mismatch(meeting, adding: exchange, slot)
  }

  private func unequalPair(_ meeting: Meeting) -> CommunicationError? {
    guard meeting.posted.first??.kind == .allToAll else { return nil }
    for (sender, call) in meeting.posted.enumerated() {
      guard let call else { continue }
      for (receiver, other) in meeting.posted.enumerated() {
        guard let other, call.inputParts.count(of: receiver) != other.outputParts.count(of: sender) else { continue }
        return mismatch(meeting)
      }
    }
    return nil
  }

  /// Names every participant's call; one that contradicts the others' is not posted.
  private func mismatch(_ meeting: Meeting, adding exchange: Exchange? = nil, _ slot: Int = 0) -> CommunicationError {
    let words = calls(meeting).map { call in
      let own = exchange.flatMap { call.slot == slot ? "called \($0.described(ranks: size))" : nil }
      return "rank \(meeting.ranks[call.slot]) \(own ?? call.words)"
    }
    return CommunicationError(.mismatch, "ranks disagree: " + words.joined(separator: ", "))
  }

  private func calls(_ meeting: Meeting) -> [(slot: Int, words: String)] {
    meeting.posted.enumerated().map { slot, call in
      (slot, call.map { "called \($0.described(ranks: size))" } ?? "has not called anything yet")
    }
  }
}

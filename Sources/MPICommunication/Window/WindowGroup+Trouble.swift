import CSharedMemory
import Communication
import Glibc
import Synchronization

// Calls that contradict each other, and ranks that do not come.
extension WindowGroup {
  /// Nanoseconds that a rank leaves the others to say what they called.
  private static let hearing: UInt64 = 2_000_000_000

  /// The error for calls that contradict each other: all posted, and all who are still there see the same. Each writes down
  /// what it called and reads what the others did.
  func refusal(_ call: UnsafeMutablePointer<WindowCall>) throws(CommunicationError) -> CommunicationError {
    let number = UInt64(call.pointee.number + 1)
    let own = Array(call.pointee.exchange.described(ranks: size).utf8.prefix(CallBoard.wordsCapacity - 1)) + [0]
    boards[rank].words.copyBytes(from: own)
    boards[rank].wordsNumber.pointee.store(number, ordering: .releasing)
    ringOthers()
    let end = monotonicNanoseconds() + WindowGroup.hearing
    for board in boards {
      while board.wordsNumber.pointee.load(ordering: .acquiring) != number, monotonicNanoseconds() < end {
        sched_yield()
      }
    }
    return mismatch(call)
  }

  private func mismatch(_ call: UnsafeMutablePointer<WindowCall>) -> CommunicationError {
    let calls = (0..<size).map { other in
      if posted(other, call) { return "rank \(other) called \(words(of: other, call))" }
      return host.board.notice(of: places[other]).map { "rank \(other) waited in \($0.words)" }
        ?? "rank \(other) has not called anything yet"
    }
    return CommunicationError(.mismatch, "ranks disagree: " + calls.joined(separator: ", "))
  }

  private func posted(_ other: Int, _ call: UnsafeMutablePointer<WindowCall>) -> Bool {
    let line = boards[other].line(call.pointee.number % CallBoard.depth)
    return line.posted.pointee.load(ordering: .acquiring) >= UInt64(call.pointee.number + 1) << 24
  }

  private func words(of other: Int, _ call: UnsafeMutablePointer<WindowCall>) -> String {
    if other == rank { return call.pointee.exchange.described(ranks: size) }
    let board = boards[other]
    if board.wordsNumber.pointee.load(ordering: .acquiring) == UInt64(call.pointee.number + 1) {
      return String(decoding: board.words.prefix { $0 != 0 }, as: UTF8.self)
    }
    let line = board.line(call.pointee.number % CallBoard.depth)
    if line.fingerprint == call.pointee.fingerprint { return call.pointee.exchange.described(ranks: size) }
    return "another \(line.kind?.name ?? "collective")"
  }

  /// Throws if a call can no longer end: somebody it waits for is gone, or others have called something else while one
  /// does not come.
  func look(_ call: UnsafeMutablePointer<WindowCall>, waited: UInt64) throws(CommunicationError) {
    for other in awaited(call) where host.board.isGone(places[other]) {
      // It may have done its share and left in good order since.
      try progress()
      if call.pointee.stage == .finished || !awaited(call).contains(other) { return }
      throw CommunicationError(
        .peerLost,
        "rank \(other) ended while rank \(rank) was waiting for it in \(call.pointee.exchange.described(ranks: size))")
    }
    guard call.pointee.stage == .posted, call.pointee.round == 0 else { return }
    let missing = awaited(call)
    host.board.post(
      WaitingNotice(
        group: identity, number: call.pointee.number, awaited: missing.map { places[$0] },
        words: call.pointee.exchange.described(ranks: size)))
    // Neither of two ranks can go on that wait for each other in different groups.
    for other in missing {
      guard let notice = host.board.notice(of: places[other]), notice.group != identity,
        notice.awaited.contains(places[rank]), let group = host.groups.first(where: { $0.identity == notice.group }),
        group.started <= notice.number
      else { continue }
      // The rest need a moment to say what they wait for.
      let end = monotonicNanoseconds() + WindowGroup.hearing
      while monotonicNanoseconds() < end,
        awaited(call).contains(where: { host.board.notice(of: places[$0]) == nil })
      {
        sched_yield()
      }
      throw mismatch(call)
    }
    if waited < WindowGroup.hearing { return }
    let entry = call.pointee.number % CallBoard.depth
    for other in 0..<size where posted(other, call) {
      if boards[other].line(entry).fingerprint != call.pointee.fingerprint { throw try refusal(call) }
    }
  }

  /// Ranks that a call waits for.
  func awaited(_ call: UnsafeMutablePointer<WindowCall>) -> [Int] {
    let entry = call.pointee.number % CallBoard.depth
    let token = call.pointee.token
    return (0..<size).filter { other in
      let line = boards[other].line(entry)
      return switch call.pointee.stage {
      case .posted: line.posted.pointee.load(ordering: .acquiring) < token
      case .shared: line.done.pointee.load(ordering: .acquiring) < token
      case .blocked, .finished: false
      }
    }
  }

  /// The error of a rank whose patience ended.
  func timeout(_ call: UnsafeMutablePointer<WindowCall>, _ patience: Patience) -> CommunicationError {
    let missing = awaited(call)
    let names = (missing.count == 1 ? "rank " : "ranks ") + missing.map(String.init).joined(separator: ", ")
    let others = (0..<size).filter { $0 != rank && posted($0, call) }
    let known = others.map { "; rank \($0) called \(words(of: $0, call))" }
    return CommunicationError(
      .timeout,
      "rank \(rank) waited \(patience.described) for \(names) in \(call.pointee.exchange.described(ranks: size))"
        + "\(known.joined()); \(Patience.variable) sets the limit")
  }
}

/// A call of a window group that somebody waits for.
struct WindowRequest: Awaited {
  let group: WindowGroup
  let number: Int

  var isFinished: Bool { group.isFinished(number) }
  /// Soon, because a launcher that lost a rank soon ends the others.
  func silence(_ patience: Patience) -> UInt64 { min(250_000_000, patience.nanoseconds / 4) }
  func look(waited: UInt64) throws(CommunicationError) { try group.look(group.call(number), waited: waited) }
  var hold: Hold? {
    let call = group.call(number)
    return Hold(
      key: Int(truncatingIfNeeded: group.holdIdentity) ^ number, group: group.holdIdentity, number: number + 1,
      sources: group.awaited(call), words: call.pointee.exchange.described(ranks: group.size))
  }
  func timeout(_ patience: Patience) -> CommunicationError { group.timeout(group.call(number), patience) }
}

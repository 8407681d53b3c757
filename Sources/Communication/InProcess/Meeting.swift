import Synchronization

/// One exchange of an in-process group, where the calls of its participants come together.
///
/// Each participant posts its call; when all have, each does its share by copying directly between their buffers; when
/// all shares are done, the buffers are their owners' again. Shares write to disjoint memory, so that they need no lock.
///
/// `@unchecked Sendable`: `posted` is written under the group's lock before `arrived` counts it, and read by others once
/// all have arrived (or under the lock).
final class Meeting: @unchecked Sendable {
  /// The threads taking part: all of a group, or a message's sender and receiver.
  let participants: [RankThread]
  /// The calls, by participant.
  private(set) var posted: [Exchange?]
  /// Ranks of the participants in their group.
  let ranks: [Int]
  /// What identifies the meeting in its group.
  var key: Key
  /// The error with which every participant's call ends, once they disagreed.
  private(set) var refusal: CommunicationError?
  /// The blocks of all ranks for a tree-reduce, in the order of its tree; grows to the most ever brought.
  private var blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>> = .init(start: nil, count: 0)
  /// Participants that will not look at the meeting again; guarded by the group's lock.
  var released = 0

  private let arrived = Atomic<Int>(0)
  private let finished = Atomic<Int>(0)
  private let refused = Atomic<Bool>(false)

  /// A collective's number, or a message's ends and tag.
  enum Key: Hashable {
    case collective(Int)
    case message(from: Int, to: Int, tag: Int)
  }

  init(key: Key, participants: [RankThread], ranks: [Int]) {
    self.key = key
    self.participants = participants
    self.ranks = ranks
    posted = Array(repeating: nil, count: participants.count)
  }

  deinit { blocks.deallocate() }

  /// Makes a finished collective's meeting ready for another.
  func reset(key: Key) {
    self.key = key
    released = 0
    for slot in posted.indices { posted[slot] = nil }
    arrived.store(0, ordering: .relaxed)
    finished.store(0, ordering: .relaxed)
  }

  var everyoneArrived: Bool { arrived.load(ordering: .acquiring) == participants.count }
  var isFinished: Bool { finished.load(ordering: .acquiring) == participants.count }
  var isRefused: Bool { refused.load(ordering: .acquiring) }

  /// Adds a call; under the group's lock.
  func post(_ exchange: Exchange, slot: Int) {
    posted[slot] = exchange
    if let tree = exchange.tree { bring(exchange.blocks, slot, tree) }
    arrived.add(1, ordering: .acquiringAndReleasing)
  }

  private func bring(
    _ own: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, _ slot: Int, _ tree: ReductionTree
  ) {
    if blocks.count < tree.count {
      let larger = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: tree.count)
      larger.initialize(repeating: own[0])
      blocks.deallocate()
      blocks = larger
    }
    for (index, block) in own.enumerated() { blocks[tree.firstBlocks[slot] + index] = block }
  }

  /// Ends the meeting for everyone; under the group's lock.
  func refuse(_ error: CommunicationError) {
    refusal = error
    refused.store(true, ordering: .releasing)
  }

  /// Does the share of one participant after everyone arrived, and wakes the others after the last share.
  func contribute(slot: Int) {
    share(slot)
    if finished.add(1, ordering: .acquiringAndReleasing).newValue == participants.count { ring(except: slot) }
  }

  /// Wakes the other participants.
  func ring(except slot: Int) {
    for (other, thread) in participants.enumerated() where other != slot { thread.ring() }
  }

  /// Who has not called yet, in words; under the group's lock.
  var absentees: String? {
    let missing = posted.indices.filter { posted[$0] == nil }.map { String(ranks[$0]) }
    if missing.isEmpty { return nil }
    return (missing.count == 1 ? "rank " : "ranks ") + missing.joined(separator: ", ")
  }

  // MARK: Shares

  private func share(_ slot: Int) {
    guard let mine = posted[slot] else { return }
    switch mine.kind {
    case .barrier, .send: break
    case .receive:
      if let message = posted[0] {
        Shares.copy(from: message.input, to: mine.output, bytes: mine.outputCount * mine.type.stride)
      }
    case .treeReduce:
      if let tree = mine.tree, let blocks = UnsafePointer(blocks.baseAddress) {
        Shares.addTree(
          tree, blocks, from: mine.inputParts.offset(of: slot), count: mine.inputParts.count(of: slot))
      }
    case .allReduce:
      withSources(slot) { sources in
        Shares.combine(
          sources, ranks: posted.count, from: mine.inputParts.offset(of: slot), count: mine.inputParts.count(of: slot),
          mine.reduction, mine.type)
      }
    case .broadcast, .allGather, .allToAll, .reduceScatter:
      withSources(slot) { Shares.collect(mine, rank: slot, $0, ranks: posted.count) }
    }
  }

  /// Everybody's values; for calls that cut them by destination, those for one rank.
  private func withSources(_ slot: Int, _ body: (UnsafePointer<UnsafeMutableRawPointer>) -> Void) {
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: posted.count) { sources in
      for (rank, call) in posted.enumerated() {
        guard let call else { continue }
        var start = 0
        if call.kind == .allToAll || call.kind == .reduceScatter { start = call.inputParts.offset(of: slot) }
        sources.initializeElement(
          at: rank, to: UnsafeMutableRawPointer(mutating: call.input) + start * call.type.stride)
      }
      if let base = sources.baseAddress { body(UnsafePointer(base)) }
    }
  }
}

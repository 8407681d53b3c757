import CSharedMemory
import Communication
import Synchronization

/// The ranks of one group on one host, which exchange through memory that they share.
///
/// Every rank posts its call; once all have, each does its share directly on everybody's values; once all shares are done,
/// the call is finished. Few values travel with the posted call itself, and their owner need not wait for their readers.
/// Private values pass through staging areas in rounds. Shared ones are used where they are.
final class WindowGroup {
  let rank: Int
  let size: Int
  /// The same ranks connected by messages.
  let base: MPICommunicator
  /// What each rank shows.
  let boards: [CallBoard]
  /// Places of the ranks on the host's board.
  let places: [Int]
  let host: WindowHost

  /// Calls started so far.
  private(set) var started = 0
  /// Calls before this one are over on this rank.
  private(set) var left = 0
  /// Calls before this one were over on every rank when last looked at.
  private var leftByAll = 0
  /// Numbers of calls that were not waited for.
  private(set) var open: [Int] = []

  private let calls: UnsafeMutablePointer<WindowCall>
  /// Bits of staging areas that no call has.
  private var freeAreas = (1 << CallBoard.stagingAreas) - 1
  /// Pointers to all blocks of a tree-reduce, and room to add them; they grow to the most ever needed.
  var blocks = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: 16)
  private var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * CallBoard.inlineCapacity, alignment: 64)

  /// Makes the boards of a group; nil on every rank where its ranks cannot share memory. Collective over `base`.
  static func make(
    _ base: MPICommunicator, places: [Int], _ host: WindowHost
  ) throws(CommunicationError) -> WindowGroup? {
    let bytes = CallBoard.byteCount(ranks: base.size)
    guard let window = try SharedWindow.make(byteCount: bytes, base) else { return nil }
    let group = WindowGroup(base, window, places, host)
    host.groups.append(group)
    return group
  }

  private init(_ base: MPICommunicator, _ window: SharedWindow, _ places: [Int], _ host: WindowHost) {
    self.base = base
    self.places = places
    self.host = host
    rank = base.rank
    size = base.size
    boards = window.segments.map { CallBoard(base: $0, ranks: base.size) }
    calls = .allocate(capacity: CallBoard.depth)
    for entry in 0..<CallBoard.depth { (calls + entry).initialize(to: WindowCall(ranks: base.size)) }
    open.reserveCapacity(CallBoard.depth)
  }

  // Groups last as long as MPI does, like their windows.

  /// The same number on all ranks, and no other group's.
  var identity: UInt64 { base.group.identity.value }

  /// The identity by which those who wait for messages know calls through shared memory.
  var holdIdentity: UInt64 { ~identity }

  /// Whether calls are under way.
  var isActive: Bool { left < started }

  /// The call of a number that is not over.
  @inline(__always)
  func call(_ number: Int) -> UnsafeMutablePointer<WindowCall> { calls + number % CallBoard.depth }

  @inline(__always)
  func isFinished(_ number: Int) -> Bool { number < left || call(number).pointee.stage == .finished }

  /// Whether another call can start now.
  func hasRoom() -> Bool {
    if started - leftByAll < CallBoard.depth { return true }
    var least = left
    for board in boards { least = min(least, Int(board.left.pointee.load(ordering: .acquiring))) }
    leftByAll = least
    return started - least < CallBoard.depth
  }

  /// Starts a call, for which there is room; returns its number. Of one that goes `elsewhere` only its sense is compared.
  func start(_ exchange: Exchange, elsewhere: Bool = false) throws(CommunicationError) -> Int {
    let number = started
    started += 1
    let call = call(number)
    prepare(call, exchange, number, elsewhere)
    post(call)
    open.append(number)
    return number
  }

  /// Forgets a request that was waited for.
  func close(_ number: Int) {
    guard let index = open.lastIndex(of: number) else {
      preconditionFailure("a request of call \(number) was waited for before")
    }
    open.remove(at: index)
  }

  /// Moves all calls forward.
  func progress() throws(CommunicationError) {
    var number = left
    while number < started {
      let call = call(number)
      if call.pointee.stage != .finished { try advance(call) }
      number &+= 1
    }
    let before = left
    while left < started, call(left).pointee.stage == .finished { left &+= 1 }
    if left > before { boards[rank].left.pointee.store(UInt64(left), ordering: .releasing) }
  }

  /// All calls that were not waited for, in words.
  var unfinished: [String] {
    open.map { $0 < left ? "collective" : call($0).pointee.exchange.described(ranks: size) }
  }

  /// Memory to add in, at least so many bytes.
  func room(bytes: Int) -> UnsafeMutableRawPointer {
    if scratch.count < bytes {
      scratch.deallocate()
      scratch = .allocate(byteCount: bytes, alignment: 64)
    }
    return scratch.baseAddress!
  }

  /// Takes a staging area, if there is one.
  func takeArea() -> Int? {
    if freeAreas == 0 { return nil }
    let area = freeAreas.trailingZeroBitCount
    freeAreas &= ~(1 << area)
    return area
  }

  /// Gives a staging area back.
  func returnArea(_ area: Int) { freeAreas |= 1 << area }

  /// Wakes the others where they sleep.
  @inline(__always)
  func ringOthers() {
    var other = 0
    while other < size {
      if other != rank { host.board.ring(places[other]) }
      other &+= 1
    }
  }
}

import CSharedMemory
import Communication

/// Ranks as processes of one host that exchange through memory that they share; messages between two ranks go by MPI.
///
/// Memory from `allocate` is exchanged where it is, without a copy. Nothing is allocated in a steady state.
///
/// `@unchecked Sendable`: used by one thread at a time, as MPI was told.
public final class WindowCommunicator: Communicator, @unchecked Sendable {
  /// This rank, from 0.
  public var rank: Int { group.rank }
  /// Ranks in the group.
  public var size: Int { group.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { group.open.count + base.pending - elsewhere.count }
  /// Bytes given to MPI for other ranks so far, in all groups of this process.
  public var wireBytes: Int { base.wireBytes }

  /// The same ranks, connected by messages.
  let base: MPICommunicator
  private let group: WindowGroup
  private let deck: FlightDeck
  /// Calls under way by messages: their numbers in the group, and the requests.
  private var elsewhere: [(number: Int, request: Request)] = []

  /// Looks of a wait before it reads a clock.
  private static let quickLooks = 400

  init(_ group: WindowGroup) {
    self.group = group
    base = group.base
    deck = base.deck
    deck.join(group.host)
  }

  /// Starts a call and returns without waiting for other ranks, unless many calls are under way.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request {
    if exchange.kind == .send || exchange.kind == .receive { return try base.start(exchange) }
    return Request(identifier: -1 - (try begin(exchange)), of: exchange)
  }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool {
    if request.identifier >= 0 { return try deck.test(request) }
    let number = -1 - request.identifier
    precondition(group.open.contains(number), "\(request.kind.name) was waited for before")
    if let (_, messages) = elsewhere.first(where: { $0.number == number }), !(try deck.test(messages)) { return false }
    try deck.poll()
    return group.isFinished(number)
  }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) {
    if request.identifier >= 0 { return try deck.wait(request) }
    try end(-1 - request.identifier)
  }

  /// Starts a call and waits for it.
  public func perform(_ exchange: Exchange) throws(CommunicationError) {
    if exchange.kind == .send || exchange.kind == .receive { return try base.perform(exchange) }
    try end(try begin(exchange))
  }

  /// Sends all calls by messages that can be; all ranks alike. For tests.
  package func preferMessages() { choose(.messages) }

  /// Uses shared memory for some sizes of a call only. All ranks choose alike, while nothing is under way.
  func choose(_ choice: TransportChoice) { group.host.choice = choice }

  /// Which way calls of so many bytes go, for reports: "window" or "messages".
  public func transport(bytes: Int) -> String {
    (group.host.choice.usesWindow(bytes: bytes) ? TransportSetting.window : .messages).rawValue
  }

  /// Groups the ranks that give the same color, numbered by key, then by rank.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    let (ranks, place) = try membersOfSplit(color: color, key: key)
    let base = try base.part(ranks, place)
    guard ranks.count > 1, let part = try WindowGroup.make(base, places: ranks.map { group.places[$0] }, group.host)
    else { return base }
    return WindowCommunicator(part)
  }

  /// Memory that all ranks of the group see, where the host has room for it.
  public func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory {
    let shared = try group.host.arena.allocate(
      byteCount: byteCount, base, places: group.places, board: group.host.board)
    return if let shared { shared } else { try CommunicatorMemory(zeroed: byteCount) }
  }

  /// A counter of all ranks of the group: a word of memory that they share, or a window of MPI where there is none left.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter {
    let arena = group.host.arena
    let bytes = CallBoard.lineBytes
    guard let memory = try arena.allocate(byteCount: bytes, base, places: group.places, board: group.host.board) else {
      return try base.makeTicketCounter()
    }
    // Ranks may have been given different segments: rank 0 says which is its own.
    let cell = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
    defer { cell.deallocate() }
    cell[0] = Int64(bitPattern: arena.place(of: memory.base, bytes: bytes, seenBy: group.places)?.bits ?? 0)
    try broadcast(cell, root: 0)
    let place = SharedPlace(bits: UInt64(bitPattern: cell[0]))
    return WindowTicketCounter(arena.address(of: place, owner: group.places[0]), keeping: memory)
  }

  @inline(__always)
  private func begin(_ exchange: Exchange) throws(CommunicationError) -> Int {
    exchange.check(rank: rank, size: size)
    if !deck.isSound || !group.hasRoom() { try waitForRoom() }
    if group.host.choice.isWindowAlways { return try group.start(exchange) }
    guard let bytes = exchange.commonBytes, !group.host.choice.usesWindow(bytes: bytes) else {
      return try group.start(exchange)
    }
    let number = try group.start(exchange, elsewhere: true)
    elsewhere.append((number, try base.start(exchange)))
    return number
  }

  @inline(never)
  private func waitForRoom() throws(CommunicationError) {
    try deck.finish(Room(group: group))
  }

  @inline(__always)
  private func end(_ number: Int) throws(CommunicationError) {
    if let index = elsewhere.firstIndex(where: { $0.number == number }) {
      try deck.wait(elsewhere.remove(at: index).request)
    }
    var looks = 0
    while deck.isSound && looks < WindowCommunicator.quickLooks {
      try deck.remembering { () throws(CommunicationError) in try group.progress() }
      if group.isFinished(number) { return group.close(number) }
      nndist_pause()
      looks &+= deck.isCrowded ? 100 : 1
    }
    try deck.finish(WindowRequest(group: group, number: number))
    group.close(number)
  }
}

/// Room for another call, which a rank waits for whose peers lag far behind.
private struct Room: Awaited {
  let group: WindowGroup

  var isFinished: Bool { group.hasRoom() }
  func silence(_ patience: Patience) -> UInt64 { min(250_000_000, patience.nanoseconds / 4) }
  func look(waited: UInt64) throws(CommunicationError) {
    if group.isActive { try group.look(group.call(group.left), waited: waited) }
  }
  var hold: Hold? { nil }
  func timeout(_ patience: Patience) -> CommunicationError {
    CommunicationError(
      .timeout,
      "rank \(group.rank) waited \(patience.described) to start another call while \(CallBoard.depth) are under way; "
        + "\(Patience.variable) sets the limit")
  }
}

import COpenMPI
import Communication

/// One exchange under way: the messages of its present phase, and the memory that its phases need.
///
/// Flights are used again, with their memory, so that a steady step allocates nothing.
final class Flight {
  private(set) var identifier = 0
  private(set) var exchange = Exchange.barrier
  private(set) var group: MPIGroup
  private(set) var tag: CInt = 0
  /// The number of a collective in its group; 0 for a message.
  private(set) var number = 0
  /// What the ranks of a host do together, in a tree-reduce of ranks on several.
  var hostCall: HostCall?
  /// Whether the others were told that this rank waits for it.
  var isReported = false
  /// Bytes given to MPI for others, in all exchanges so far.
  private(set) var bytesSent = 0
  /// Phases done so far.
  var phase = 0
  /// Whether the last phase is done.
  var isFinished = false

  private var messages: UnsafeMutablePointer<Message>
  private var capacity = 16
  private var count = 0
  private var firstOpen = 0
  private var scratchBase: UnsafeMutableRawPointer?
  private var scratchBytes = 0

  private struct Message {
    var request: MPI_Request?
    let peer: Int
    /// Bytes that must arrive; nil for a message that leaves.
    let expected: Int?
  }

  init(group: MPIGroup) {
    self.group = group
    messages = .allocate(capacity: capacity)
  }

  deinit {
    messages.deallocate()
    scratchBase?.deallocate()
  }

  /// Prepares for another exchange.
  func begin(_ exchange: Exchange, group: MPIGroup, identifier: Int, number: Int, tag: CInt) {
    self.exchange = exchange
    self.group = group
    self.identifier = identifier
    self.number = number
    self.tag = tag
    isReported = false
    hostCall = nil
    phase = 0
    isFinished = false
    count = 0
    firstOpen = 0
  }

  /// At least so many bytes, aligned for every type; the contents last until more is asked for.
  func scratch(bytes: Int) -> UnsafeMutableRawPointer {
    if let scratchBase, bytes <= scratchBytes { return scratchBase }
    scratchBase?.deallocate()
    scratchBytes = max(bytes, 4_096)
    let base = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
    scratchBase = base
    return base
  }

  /// Starts sending a block to a rank, in pieces of at most `largest` bytes.
  func send(
    _ block: UnsafeRawPointer, bytes: Int, to peer: Int, largest: Int, on channel: MPI_Comm
  ) throws(CommunicationError) {
    var offset = 0
    repeat {
      let piece = min(largest, bytes - offset)
      var request: MPI_Request? = nndist_mpi_no_request()
      let code = MPI_Isend(block + offset, CInt(piece), nndist_mpi_byte(), CInt(peer), tag, channel, &request)
      try check(code, "sending to rank \(peer)")
      if peer != group.rank { bytesSent += piece }
      append(Message(request: request, peer: peer, expected: nil))
      offset += piece
    } while offset < bytes
  }

  /// Starts receiving a block from a rank, in pieces of at most `largest` bytes.
  func receive(
    _ block: UnsafeMutableRawPointer, bytes: Int, from peer: Int, largest: Int, on channel: MPI_Comm
  ) throws(CommunicationError) {
    var offset = 0
    repeat {
      let piece = min(largest, bytes - offset)
      var request: MPI_Request? = nndist_mpi_no_request()
      let code = MPI_Irecv(block + offset, CInt(piece), nndist_mpi_byte(), CInt(peer), tag, channel, &request)
      try check(code, "receiving from rank \(peer)")
      append(Message(request: request, peer: peer, expected: piece))
      offset += piece
    } while offset < bytes
  }

  private func append(_ message: Message) {
    if count == capacity {
      let larger = UnsafeMutablePointer<Message>.allocate(capacity: 2 * capacity)
      larger.moveInitialize(from: messages, count: count)
      messages.deallocate()
      messages = larger
      capacity *= 2
    }
    (messages + count).initialize(to: message)
    count += 1
  }

  /// Asks MPI for progress; true once all messages of the phase are done, which forgets them.
  func poll() throws(CommunicationError) -> Bool {
    while firstOpen < count {
      var done: CInt = 0
      var status = MPI_Status()
      let code = MPI_Test(&messages[firstOpen].request, &done, &status)
      if code != CInt(MPI_SUCCESS) {
        let peer = messages[firstOpen].peer
        if isTruncation(code) { throw sizes(peer, "more") }
        throw failure(code, "rank \(group.rank) in \(described) with rank \(peer)")
      }
      if done == 0 { return false }
      if let expected = messages[firstOpen].expected {
        var bytes: CInt = 0
        MPI_Get_count(&status, nndist_mpi_byte(), &bytes)
        if Int(bytes) < expected { throw sizes(messages[firstOpen].peer, "fewer") }
      }
      firstOpen += 1
    }
    count = 0
    firstOpen = 0
    return true
  }

  /// Whether the next phase only waits for messages.
  var isReady: Bool { hostCall?.isReady ?? true }

  /// Ranks that have not come, in order.
  var awaited: [Int] {
    var peers = Set(hostCall?.awaited ?? [])
    for index in firstOpen..<max(firstOpen, count) { peers.insert(messages[index].peer) }
    return peers.sorted()
  }

  /// Ranks from whom something has not come.
  var sources: [Int] {
    (hostCall?.awaited ?? [])
      + (firstOpen..<max(firstOpen, count)).filter { messages[$0].expected != nil }.map { messages[$0].peer }
  }

  /// The call in words.
  var described: String { exchange.described(ranks: group.size) }

  private func sizes(_ peer: Int, _ how: String) -> CommunicationError {
    CommunicationError(
      .mismatch,
      "ranks disagree: rank \(group.rank) called \(described), but rank \(peer) sent \(how) elements than that")
  }
}

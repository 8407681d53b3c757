import COpenMPI
import CSharedMemory
import Communication
import Glibc

/// All exchanges that this process has under way, in every group. Nothing but a call into MPI moves a message, and nothing
/// but a look what others have posted moves an exchange through shared memory, so each test or wait polls all of them.
final class FlightDeck {
  /// Bytes of the longest single message: counts are C ints in MPI, so longer blocks go in pieces.
  var largestMessage = 1 << 30

  private let patience: Patience
  private var flights: [Flight] = []
  private var spare: [Flight] = []
  private var identifiers = 0
  private var failure: CommunicationError?
  /// Groups that exchange through shared memory.
  private var windows: [WindowGroup] = []
  private var host: HostBoard?

  init(patience: Patience) { self.patience = patience }

  /// Moves a group that exchanges through shared memory with everything else from now on.
  func join(_ group: WindowGroup) {
    windows.append(group)
    host = group.host.board
  }

  /// Whether nothing has failed.
  var isSound: Bool { failure == nil }

  /// Whether waiting must not keep a core busy.
  var isCrowded: Bool { host?.isCrowded ?? false }

  /// Exchanges of one group that were not waited for.
  func pending(in group: MPIGroup) -> Int {
    var count = 0
    for flight in flights where flight.group === group { count += 1 }
    return count
  }

  /// Bytes given to MPI for other ranks so far, in all groups.
  var wireBytes: Int {
    var bytes = 0
    for flight in flights { bytes += flight.bytesSent }
    for flight in spare { bytes += flight.bytesSent }
    return bytes
  }

  /// All exchanges that were not waited for, in words.
  var unfinished: [String] { flights.map(\.described) + windows.flatMap(\.unfinished) }

  /// Starts an exchange.
  func start(_ exchange: Exchange, _ group: MPIGroup) throws(CommunicationError) -> Request {
    if let failure { throw failure }
    exchange.check(rank: group.rank, size: group.size)
    let tag: CInt
    if exchange.kind == .send || exchange.kind == .receive {
      tag = CInt(exchange.tag << 3 | Int(exchange.type.rawValue))
    } else {
      group.number += 1
      tag = group.signature.tag(exchange.fingerprint(ranks: group.size), number: group.number)
    }
    identifiers += 1
    let flight = spare.popLast() ?? Flight(group: group)
    flight.begin(exchange, group: group, identifier: identifiers, tag: tag)
    flights.append(flight)
    try remembering { () throws(CommunicationError) in try flight.advance(largest: largestMessage) }
    return Request(identifier: identifiers, of: exchange)
  }

  /// Moves everything forward; whether this request is finished.
  func test(_ request: Request) throws(CommunicationError) -> Bool {
    try poll()
    return flights[index(of: request)].isFinished
  }

  /// Moves everything forward.
  func poll() throws(CommunicationError) {
    if let failure { throw failure }
    try remembering { () throws(CommunicationError) in try progress() }
  }

  /// Returns when the request is finished.
  func wait(_ request: Request) throws(CommunicationError) {
    if let failure { throw failure }
    let index = index(of: request)
    let flight = flights[index]
    try finish(flight)
    flights.remove(at: index)
    spare.append(flight)
  }

  /// Returns when something is finished, moving everything forward: spins for a moment, then gives the core to others
  /// between polls. Sleeps where no message of MPI has to be moved.
  func finish(_ awaited: some Awaited) throws(CommunicationError) {
    if let failure { throw failure }
    try remembering { () throws(CommunicationError) in try drive(awaited) }
  }

  private func drive(_ awaited: some Awaited) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    let spin = isCrowded ? 0 : Patience.spin
    var nextLook = FlightDeck.lookInterval
    while true {
      try progress()
      if awaited.isFinished { return }
      let waited = monotonicNanoseconds() - began
      if waited < spin {
        nndist_pause()
        continue
      }
      if let host, flights.isEmpty, waited > spin + FlightDeck.yielding {
        try host.sleep { () throws(CommunicationError) in
          try progress()
          return awaited.isFinished
        }
      } else {
        sched_yield()
      }
      if waited > nextLook {
        try awaited.look(waited: waited)
        nextLook = waited + FlightDeck.lookInterval
      }
      if waited > patience.nanoseconds {
        try awaited.look(waited: waited)
        if awaited.isFinished { return }
        throw awaited.timeout(patience)
      }
    }
  }

  /// Nanoseconds for which a core is only lent to those who are ready to use it, before sleeping.
  private static let yielding: UInt64 = 50_000
  /// Nanoseconds between looks at what is wrong.
  private static let lookInterval: UInt64 = 250_000_000

  private func index(of request: Request) -> Int {
    guard let index = flights.firstIndex(where: { $0.identifier == request.identifier }) else {
      preconditionFailure("request \(request.identifier) (\(request.kind.name)) was waited for before")
    }
    return index
  }

  private func progress() throws(CommunicationError) {
    for flight in flights {
      while !flight.isFinished, try flight.poll() { try flight.advance(largest: largestMessage) }
    }
    for window in windows where window.isActive { try window.progress() }
  }

  /// After an error messages may still arrive in buffers of unfinished exchanges, so nothing is used or freed again.
  func remembering(_ work: () throws(CommunicationError) -> Void) throws(CommunicationError) {
    do {
      try work()
    } catch {
      failure = error
      for flight in flights { _ = Unmanaged.passRetained(flight) }
      throw error
    }
  }
}

import COpenMPI
import CSharedMemory
import Communication
import Glibc

/// All exchanges that this process has under way, in every group. Nothing but a call into MPI moves a message, and nothing
/// but a look at what others have posted moves an exchange through shared memory, so each test or wait polls all of them.
final class FlightDeck {
  /// Bytes of the longest single message: counts are C ints in MPI, so longer blocks go in pieces.
  var largestMessage = 1 << 30

  /// All groups, whose reports this rank reads while it waits.
  var groups: [MPIGroup] = []

  /// Counters of tickets made of messages.
  let tickets: TicketWindows
  private let patience: Patience
  private var nextLook: UInt64 = 0
  private var flights: [Flight] = []
  private var spare: [Flight] = []
  private var identifiers = 0
  private var failure: CommunicationError?
  /// What groups have in common that exchange through shared memory; nil where none do.
  private var host: WindowHost?

  init(patience: Patience) {
    self.patience = patience
    tickets = TicketWindows(patience: patience)
  }

  /// Moves groups that exchange through shared memory with everything else from now on.
  func join(_ host: WindowHost) { self.host = host }

  /// Whether nothing has failed.
  var isSound: Bool { failure == nil }

  /// Whether waiting must not keep a core busy.
  var isCrowded: Bool { host?.board.isCrowded ?? false }

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
    for group in groups { bytes += group.board.bytesSent }
    return bytes
  }

  /// All exchanges that were not waited for, in words.
  var unfinished: [String] { flights.map(\.described) + (host?.groups.flatMap(\.unfinished) ?? []) }

  /// Starts an exchange.
  func start(_ exchange: Exchange, _ group: MPIGroup) throws(CommunicationError) -> Request {
    if let failure { throw failure }
    exchange.check(rank: group.rank, size: group.size)
    let number: Int
    let tag: CInt
    if exchange.kind == .send || exchange.kind == .receive {
      (number, tag) = (0, CInt(exchange.tag << 3 | Int(exchange.type.rawValue)))
    } else {
      (number, tag) = group.count(exchange)
    }
    identifiers += 1
    let flight = spare.popLast() ?? Flight(group: group)
    flight.begin(exchange, group: group, identifier: identifiers, number: number, tag: tag)
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
    var hasLooked = false
    // Also a rank that never waits for long reads what those who wait for it have to say.
    if began > nextLook { try look(at: began) }
    while true {
      try progress()
      if awaited.isFinished {
        if hasLooked { host?.board.withdraw() }
        return
      }
      let now = monotonicNanoseconds()
      let waited = now - began
      if waited < spin {
        nndist_pause()
        continue
      }
      if let host, flights.isEmpty, waited > (isCrowded ? FlightDeck.briefYielding : FlightDeck.yielding) {
        try host.board.sleep { () throws(CommunicationError) in
          try progress()
          return awaited.isFinished
        }
      } else {
        sched_yield()
      }
      let isLate = waited > patience.nanoseconds
      if isLate || (waited > awaited.silence(patience) && now > nextLook) {
        hasLooked = true
        try look(at: now, waitingFor: awaited.hold, awaited as? Flight)
        try awaited.look(waited: waited)
        if isLate && !awaited.isFinished { throw awaited.timeout(patience) }
      }
    }
  }

  /// Nanoseconds for which a core is only lent to those who are ready to use it, before sleeping: to be woken takes longer
  /// than to look again, but where ranks share cores the one that is waited for has to have them.
  private static let yielding: UInt64 = 2_000_000
  private static let briefYielding: UInt64 = 50_000

  /// Reads what others report in all groups, and tells them what this rank waits for. Throws if calls contradict each
  /// other.
  private func look(
    at now: UInt64, waitingFor hold: Hold? = nil, _ flight: Flight? = nil
  ) throws(CommunicationError) {
    nextLook = now + FlightDeck.pause
    if let flight { try flight.group.report(flight) }
    for group in groups where group.size > 1 {
      try group.board.collect()
      if let number = group.contradiction { throw try group.disagreement(at: number, hold) }
      if let hold { try group.answer(hold) }
    }
    if let flight, flight.group.isDeadlocked(flight, calls) {
      throw try flight.group.disagreement(at: flight.number, hold)
    }
  }

  /// The calls of this rank in the group of a hold, and its number there.
  private func calls(in identity: UInt64) -> (number: Int, rank: Int)? {
    if let group = groups.first(where: { $0.identity.value == identity }) { return (group.history.number, group.rank) }
    return host?.groups.first { $0.holdIdentity == identity }.map { ($0.started, $0.rank) }
  }

  /// Nanoseconds between two looks at their reports from then on.
  private static let pause: UInt64 = 20_000_000

  private func index(of request: Request) -> Int {
    guard let index = flights.firstIndex(where: { $0.identifier == request.identifier }) else {
      preconditionFailure("request \(request.identifier) (\(request.kind.name)) was waited for before")
    }
    return index
  }

  private func progress() throws(CommunicationError) {
    for flight in flights {
      while !flight.isFinished, flight.isReady, try poll(flight) { try flight.advance(largest: largestMessage) }
    }
    if let host {
      for window in host.groups where window.isActive { try window.progress() }
    }
    try tickets.serve()
  }

  /// Of a collective whose messages have other sizes than this rank expects, the error names every rank's call.
  private func poll(_ flight: Flight) throws(CommunicationError) -> Bool {
    do {
      return try flight.poll()
    } catch {
      guard error.kind == .mismatch, flight.number > 0 else { throw error }
      throw try flight.group.disagreement(at: flight.number, flight.hold)
    }
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

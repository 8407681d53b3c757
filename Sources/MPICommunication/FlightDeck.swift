import COpenMPI
import Communication
import Glibc

/// All exchanges that this process has under way, in every group. Nothing but a call into MPI moves a message, so each
/// test or wait polls all of them.
final class FlightDeck {
  /// Bytes of the longest single message: counts are C ints in MPI, so longer blocks go in pieces.
  var largestMessage = 1 << 30

  /// All groups, whose reports this rank reads while it waits.
  var groups: [MPIGroup] = []

  private let patience: Patience
  private var nextLook: UInt64 = 0
  private var flights: [Flight] = []
  private var spare: [Flight] = []
  private var identifiers = 0
  private var failure: CommunicationError?

  init(patience: Patience) { self.patience = patience }

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
  var unfinished: [String] { flights.map(\.described) }

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
    if let failure { throw failure }
    try remembering { () throws(CommunicationError) in try progress() }
    return flights[index(of: request)].isFinished
  }

  /// Returns when the request is finished: spins for a moment, then gives the core to others between polls.
  func wait(_ request: Request) throws(CommunicationError) {
    if let failure { throw failure }
    let index = index(of: request)
    let flight = flights[index]
    try remembering { () throws(CommunicationError) in try finish(flight) }
    flights.remove(at: index)
    spare.append(flight)
  }

  private func finish(_ flight: Flight) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    // Also a rank that never waits for long reads what those who wait for it have to say.
    if began > nextLook { try look(at: began) }
    while true {
      try progress()
      if flight.isFinished { return }
      let now = monotonicNanoseconds()
      if now < began + Patience.spin { continue }
      sched_yield()
      let isLate = now > began + patience.nanoseconds
      if isLate || (now > began + silence && now > nextLook) { try look(at: now, waitingFor: flight) }
      if isLate { throw flight.group.timeout(flight, patience) }
    }
  }

  /// Reads what others report in all groups, and tells them what this rank waits for. Throws if calls contradict each
  /// other.
  private func look(at now: UInt64, waitingFor flight: Flight? = nil) throws(CommunicationError) {
    nextLook = now + (flight == nil ? silence : FlightDeck.pause)
    if let flight { try flight.group.report(flight) }
    for group in groups where group.size > 1 {
      try group.board.collect()
      if let number = group.contradiction { throw try group.disagreement(at: number, waitingFor: flight) }
      if let flight { try group.answer(waitingFor: flight) }
    }
    if let flight, flight.group.isDeadlocked(flight, groups) {
      throw try flight.group.disagreement(at: flight.number, waitingFor: flight)
    }
  }

  /// Nanoseconds that a rank waits before it tells the others.
  private var silence: UInt64 { min(1_000_000_000, patience.nanoseconds / 4) }
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
      while !flight.isFinished, try poll(flight) { try flight.advance(largest: largestMessage) }
    }
  }

  /// Of a collective whose messages have other sizes than this rank expects, the error names every rank's call.
  private func poll(_ flight: Flight) throws(CommunicationError) -> Bool {
    do {
      return try flight.poll()
    } catch {
      guard error.kind == .mismatch, flight.number > 0 else { throw error }
      throw try flight.group.disagreement(at: flight.number, waitingFor: flight)
    }
  }

  /// After an error messages may still arrive in buffers of unfinished exchanges, so nothing is used or freed again.
  private func remembering(_ work: () throws(CommunicationError) -> Void) throws(CommunicationError) {
    do {
      try work()
    } catch {
      failure = error
      for flight in flights { _ = Unmanaged.passRetained(flight) }
      throw error
    }
  }
}

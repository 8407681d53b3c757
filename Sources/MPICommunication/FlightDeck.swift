import COpenMPI
import Communication
import Glibc

/// All exchanges that this process has under way, in every group. Nothing but a call into MPI moves a message, so each
/// test or wait polls all of them.
final class FlightDeck {
  /// Bytes of the longest single message: counts are C ints in MPI, so longer blocks go in pieces.
  var largestMessage = 1 << 30

  private let patience: Patience
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
    return bytes
  }

  /// All exchanges that were not waited for, in words.
  var unfinished: [String] { flights.map(\.described) }

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
    var nextLook = began + FlightDeck.lookInterval
    while true {
      try progress()
      if flight.isFinished { return }
      let now = monotonicNanoseconds()
      if now < began + Patience.spin { continue }
      sched_yield()
      if now > nextLook {
        try lookForOtherCalls(flight)
        nextLook = now + FlightDeck.lookInterval
      }
      if now > began + patience.nanoseconds {
        try lookForOtherCalls(flight)
        throw timeout(flight)
      }
    }
  }

  private static let lookInterval: UInt64 = 1_000_000_000

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

  /// Throws if a rank that this exchange waits for has called something else instead.
  private func lookForOtherCalls(_ flight: Flight) throws(CommunicationError) {
    let kind = flight.exchange.kind
    if kind == .send || kind == .receive { return }
    let group = flight.group
    for peer in flight.awaited {
      var found: CInt = 0
      var status = MPI_Status()
      try check(MPI_Iprobe(CInt(peer), CInt(MPI_ANY_TAG), group.collectives, &found, &status), "looking for messages")
      if found != 0, group.signature.areRivals(status.MPI_TAG, flight.tag) {
        throw CommunicationError(
          .mismatch, "ranks disagree: rank \(group.rank) called \(flight.described), rank \(peer) something else")
      }
    }
  }

  private func timeout(_ flight: Flight) -> CommunicationError {
    let peers = flight.awaited
    let names = (peers.count == 1 ? "rank " : "ranks ") + peers.map(String.init).joined(separator: ", ")
    return CommunicationError(
      .timeout,
      "rank \(flight.group.rank) waited \(patience.described) for \(names) in \(flight.described); "
        + "\(Patience.variable) sets the limit")
  }
}

/// What a rank sent and how long it took, for one kind of call.
public struct Meter: Sendable, Hashable {
  /// Calls started.
  public var calls = 0
  /// Messages with a payload sent to other ranks, by the formula of `Exchange.messagesSent`.
  public var messages = 0
  /// Payload bytes sent to other ranks, by the formula of `Exchange.bytesSent`.
  public var bytes = 0
  /// Seconds spent inside the communicator: starting, testing and waiting.
  public var seconds = 0.0

  /// Nothing yet.
  public init() {}

  /// The sums of two meters.
  public static func + (a: Meter, b: Meter) -> Meter {
    var sum = a
    sum.calls += b.calls
    sum.messages += b.messages
    sum.bytes += b.bytes
    sum.seconds += b.seconds
    return sum
  }
}

/// The meters of one rank, shared by a communicator and those split from it.
///
/// `@unchecked Sendable`: belongs to the thread whose rank it is.
public final class Ledger: @unchecked Sendable {
  private var meters = Array(repeating: Meter(), count: Exchange.Kind.allCases.count)

  /// An empty ledger.
  public init() {}

  /// The meter of one kind of call.
  public subscript(kind: Exchange.Kind) -> Meter { meters[Int(kind.rawValue)] }

  /// All kinds together.
  public var total: Meter { meters.reduce(Meter(), +) }

  /// Sets every meter to zero.
  public func clear() {
    for index in meters.indices { meters[index] = Meter() }
  }

  func count(_ exchange: Exchange, rank: Int, size: Int) {
    let index = Int(exchange.kind.rawValue)
    meters[index].calls += 1
    meters[index].messages += exchange.messagesSent(rank: rank, size: size)
    meters[index].bytes += exchange.bytesSent(rank: rank, size: size)
  }

  func spend(_ kind: Exchange.Kind, since start: UInt64) {
    meters[Int(kind.rawValue)].seconds += Double(monotonicNanoseconds() - start) * 1e-9
  }
}

/// Counts what passes through another communicator, so that no strategy has to.
///
/// Payload is counted by formula, so it is the same on every transport. The overhead is two readings of the clock a call.
/// `split` itself is not counted; what its group sends is, in the same ledger.
public final class MeteredCommunicator: Communicator, Sendable {
  /// The communicator that does the work.
  public let base: any Communicator
  /// What was counted so far.
  public let ledger: Ledger

  /// Wraps `base`, adding to `ledger`.
  public init(_ base: any Communicator, ledger: Ledger = Ledger()) {
    self.base = base
    self.ledger = ledger
  }

  /// This rank, from 0.
  public var rank: Int { base.rank }
  /// Ranks in the group.
  public var size: Int { base.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { base.pending }

  /// Starts and counts a call.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request {
    let began = monotonicNanoseconds()
    let request = try base.start(exchange)
    ledger.count(exchange, rank: base.rank, size: base.size)
    ledger.spend(exchange.kind, since: began)
    return request
  }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool {
    let began = monotonicNanoseconds()
    let finished = try base.test(request)
    ledger.spend(request.kind, since: began)
    return finished
  }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    try base.wait(request)
    ledger.spend(request.kind, since: began)
  }

  /// Does and counts a call.
  public func perform(_ exchange: Exchange) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    try base.perform(exchange)
    ledger.count(exchange, rank: base.rank, size: base.size)
    ledger.spend(exchange.kind, since: began)
  }

  /// Groups the ranks that give the same color, numbered by key, then by rank.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    MeteredCommunicator(try base.split(color: color, key: key), ledger: ledger)
  }
}

/// What a rank sent and how long it took, for one kind of call or one label.
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

  /// Adds each figure of another meter.
  public static func += (sum: inout Meter, other: Meter) {
    sum.calls += other.calls
    sum.messages += other.messages
    sum.bytes += other.bytes
    sum.seconds += other.seconds
  }
}

/// The meters of one rank, shared by a communicator and those split from it.
///
/// `@unchecked Sendable`: belongs to the thread whose rank it is.
public final class Ledger: @unchecked Sendable {
  private var meters = Array(repeating: Meter(), count: Exchange.Kind.allCases.count)
  /// The meters of labelled calls, by label.
  public private(set) var labels: [Meter] = []

  /// An empty ledger.
  public init() {}

  /// The meter of one kind of call.
  public subscript(kind: Exchange.Kind) -> Meter { meters[Int(kind.rawValue)] }

  /// All kinds together.
  public var total: Meter { meters.reduce(into: Meter(), +=) }

  /// Sets every meter to zero.
  public func clear() {
    for index in meters.indices { meters[index] = Meter() }
    for label in labels.indices { labels[label] = Meter() }
  }

  func count(_ exchange: Exchange, rank: Int, size: Int) {
    var call = Meter()
    call.calls = 1
    call.messages = exchange.messagesSent(rank: rank, size: size)
    call.bytes = exchange.bytesSent(rank: rank, size: size)
    add(call, exchange.kind, exchange.label)
  }

  func spend(_ kind: Exchange.Kind, _ label: Int, since start: UInt64) {
    var call = Meter()
    call.seconds = Double(monotonicNanoseconds() - start) * 1e-9
    add(call, kind, label)
  }

  private func add(_ call: Meter, _ kind: Exchange.Kind, _ label: Int) {
    meters[Int(kind.rawValue)] += call
    guard label >= 0 else { return }
    while labels.count <= label { labels.append(Meter()) }
    labels[label] += call
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
  /// Bytes that were moved between processes on behalf of this rank.
  public var wireBytes: Int { base.wireBytes }

  /// Starts and counts a call.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request {
    let began = monotonicNanoseconds()
    let request = try base.start(exchange)
    ledger.count(exchange, rank: base.rank, size: base.size)
    ledger.spend(exchange.kind, exchange.label, since: began)
    return request
  }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool {
    let began = monotonicNanoseconds()
    let finished = try base.test(request)
    ledger.spend(request.kind, request.label, since: began)
    return finished
  }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    try base.wait(request)
    ledger.spend(request.kind, request.label, since: began)
  }

  /// Does and counts a call.
  public func perform(_ exchange: Exchange) throws(CommunicationError) {
    let began = monotonicNanoseconds()
    try base.perform(exchange)
    ledger.count(exchange, rank: base.rank, size: base.size)
    ledger.spend(exchange.kind, exchange.label, since: began)
  }

  /// Groups the ranks that give the same color, numbered by key, then by rank.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    MeteredCommunicator(try base.split(color: color, key: key), ledger: ledger)
  }

  /// Memory for what is exchanged often.
  public func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory {
    try base.allocate(byteCount: byteCount)
  }

  /// A counter of all ranks of the group.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter { try base.makeTicketCounter() }
}

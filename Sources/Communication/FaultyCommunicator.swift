import Glibc

/// A communicator whose rank can be made to fail as ranks do in earnest: it ends, stops answering, or receives a wrong bit.
///
/// Nothing happens until one of its calls demands it; then it happens the same way on every transport, as far as a thread
/// can do what a process does.
///
/// `@unchecked Sendable`: belongs to the thread whose rank it is.
public final class FaultyCommunicator: Communicator, @unchecked Sendable {
  /// The communicator that does the work.
  public let base: any Communicator
  private let corruption: Corruption
  /// The call under way whose output will have a wrong bit.
  private var struck: (request: Request, exchange: Exchange, bit: Int)?

  /// What is to be corrupted next, known to a communicator and those split from it.
  private final class Corruption {
    var bit: Int?
    /// Calls until then.
    var calls = 0

    /// The bit to flip in what a call brings; nil where none is demanded yet, or the call brings the rank nothing new.
    func take(_ exchange: Exchange, _ rank: Int) -> Int? {
      guard bit != nil, exchange.outputCount > 0, exchange.kind != .broadcast || exchange.peer != rank else {
        return nil
      }
      calls -= 1
      guard calls == 0 else { return nil }
      defer { bit = nil }
      return bit
    }
  }

  /// Wraps `base`, which is that of all ranks.
  public convenience init(_ base: any Communicator) { self.init(base, Corruption()) }

  private init(_ base: any Communicator, _ corruption: Corruption) {
    self.base = base
    self.corruption = corruption
  }

  // MARK: Faults

  /// Whether the rank is one of several threads of this process, which cannot be ended alone.
  public var sharesProcess: Bool { base is InProcessCommunicator && base.size > 1 }

  /// Ends the rank without a word: the process kills itself.  A rank that shares its process throws `.peerLost` instead, with
  /// `reason`, and must keep what it has in flight: others may still copy from it.
  public func die(_ reason: String) throws(CommunicationError) {
    if sharesProcess { throw CommunicationError(.peerLost, reason) }
    kill(getpid(), SIGKILL)
    while true { pause() }
  }

  /// Answers nobody for some seconds, nil for as long as the process lives.  A rank that shares its process throws
  /// `.peerLost`, with `reason`, once no other rank is left to wait for it.
  public func hang(seconds: Double?, _ reason: String) throws(CommunicationError) {
    // Thirty years are for ever, and fit every clock.
    let end = monotonicNanoseconds() + UInt64((seconds ?? 1e9) * 1e9)
    if sharesProcess, let base = base as? InProcessCommunicator {
      guard base.idle(until: end) else { throw CommunicationError(.peerLost, reason) }
      return
    }
    while case let now = monotonicNanoseconds(), now < end {
      let left = end - now
      // Signals end the sleep, not the hanging.
      var time = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
      nanosleep(&time, nil)
    }
  }

  /// Flips a bit of what the rank receives by a call yet to come, the `call`-th, from 1, that brings it something: in the first
  /// element that is not zero (a zero's bits say little), counted from its lowest bit and beyond its highest from the lowest
  /// again.
  public func corrupt(call: Int, bit: Int) {
    precondition(call > 0 && bit >= 0, "bit \(bit) of call \(call)")
    corruption.calls = call
    corruption.bit = bit
  }

  /// Takes back a corruption that has not happened; whether there was one.
  public func takeBack() -> Bool {
    defer { corruption.bit = nil }
    return corruption.bit != nil
  }

  private func flip(_ bit: Int, _ exchange: Exchange) {
    let stride = exchange.type.stride
    let elements = (0..<exchange.outputCount).lazy.map { exchange.output + $0 * stride }
    let first = elements.first { element in
      (0..<stride).contains { element.load(fromByteOffset: $0, as: UInt8.self) != 0 }
    }
    let place = bit % (8 * stride)
    let byte = (first ?? exchange.output) + place / 8
    byte.storeBytes(of: byte.load(as: UInt8.self) ^ 1 << UInt8(place % 8), as: UInt8.self)
  }

  // MARK: The calls

  /// This rank, from 0.
  public var rank: Int { base.rank }
  /// Ranks in the group.
  public var size: Int { base.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { base.pending }
  /// Bytes that were moved between processes on behalf of this rank.
  public var wireBytes: Int { base.wireBytes }

  /// Starts a call.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request {
    let request = try base.start(exchange)
    if let bit = corruption.take(exchange, rank) { struck = (request, exchange, bit) }
    return request
  }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool { try base.test(request) }

  /// Returns when the request is finished, and with it the wrong bit where one was demanded.
  public func wait(_ request: Request) throws(CommunicationError) {
    try base.wait(request)
    guard let struck, struck.request == request else { return }
    self.struck = nil
    flip(struck.bit, struck.exchange)
  }

  /// Does a call, and with it the wrong bit where one was demanded.
  public func perform(_ exchange: Exchange) throws(CommunicationError) {
    let bit = corruption.take(exchange, rank)
    try base.perform(exchange)
    if let bit { flip(bit, exchange) }
  }

  /// Groups the ranks that give the same color, numbered by key, then by rank; what is demanded may happen there too.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    FaultyCommunicator(try base.split(color: color, key: key), corruption)
  }

  /// Memory for what is exchanged often.
  public func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory {
    try base.allocate(byteCount: byteCount)
  }

  /// A counter of all ranks of the group.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter { try base.makeTicketCounter() }
}

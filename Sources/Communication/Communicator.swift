/// A fixed group of ranks that exchange buffers.
///
/// Rules for callers:
/// - Every rank calls the same collectives in the same order, with the same type, reduction, root, counts and
///   label. Starting is what counts as calling; requests may be waited for in any order.
/// - Buffers belong to the communicator from `start…` until `wait` has returned, also after `test` was true. Swift may
///   free an object after its last mention in the text: mention the owner of a buffer after the wait.
/// - Every request is waited for exactly once; a finished step leaves `pending` at 0.
/// - One thread at a time uses a communicator and those split from it.
///
/// Waiting for one request moves the others forward too, and no wait is longer than the deadline
/// (`NNDIST_TIMEOUT_SECONDS`, 60 seconds by default): a peer that stopped is an error, never a hang.
/// Results are the same bits on every rank and every transport; see `Reduction`.
///
/// The protocol is small so that a transport is small: it moves an `Exchange`. The calls that training uses, with their
/// cost, are in the extension (`allReduce`, `startAllToAll` …).
public protocol Communicator: AnyObject, Sendable {
  /// This rank, from 0.
  var rank: Int { get }
  /// Ranks in the group, at least 1.
  var size: Int { get }
  /// Requests that this rank started and has not waited for.
  var pending: Int { get }
  /// Bytes that were moved between processes on behalf of this rank so far, in all groups; 0 for ranks as threads.
  var wireBytes: Int { get }

  /// Starts a call and returns without waiting for other ranks.
  func start(_ exchange: Exchange) throws(CommunicationError) -> Request
  /// Moves all requests forward; true if this one is finished. It still has to be waited for, which then costs nothing.
  func test(_ request: Request) throws(CommunicationError) -> Bool
  /// Returns when the request is finished and its buffers are the caller's again.
  func wait(_ request: Request) throws(CommunicationError)
  /// Starts a call and waits for it.
  func perform(_ exchange: Exchange) throws(CommunicationError)
  /// Groups the ranks that give the same color, numbered by key, then by rank. Collective; every rank gets its group.
  func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator
  /// Zeroed memory, aligned to a page, for what is exchanged often: a transport may exchange it without copying. Collective;
  /// ranks may ask for different sizes.
  func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory
  /// A counter of all ranks of the group, from 0. Collective; meant to be made once and kept.
  func makeTicketCounter() throws(CommunicationError) -> any TicketCounter
}

/// A call under way: a plain value, because buffers are in flight on many buckets at once.
public struct Request: Sendable, Hashable {
  /// Distinguishes the requests of one communicator.
  public let identifier: Int
  /// The call that was started.
  public let kind: Exchange.Kind
  /// The label it was started with.
  public let label: Int

  /// For transports.
  public init(identifier: Int, of exchange: Exchange) {
    self.identifier = identifier
    kind = exchange.kind
    label = exchange.label
  }
}

extension Communicator {
  /// Starts a call and waits for it.
  public func perform(_ exchange: Exchange) throws(CommunicationError) {
    try wait(start(exchange))
  }

  /// Memory of this process alone.
  public func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory {
    try CommunicatorMemory(zeroed: byteCount)
  }
}

import Glibc

/// Ranks as threads of one process: the simulator's transport, and the reference for the others.
///
/// Buffers are copied directly between ranks; nothing is allocated in a steady state. Calls that contradict each other
/// are errors that name both.
///
/// `@unchecked Sendable`: each object is used by the one thread whose rank it is.
public final class InProcessCommunicator: Communicator, @unchecked Sendable {
  /// This rank, from 0.
  public let rank: Int
  /// Ranks in the group.
  public var size: Int { group.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { thread.pending(in: group) }
  /// No bytes: ranks share one process.
  public var wireBytes: Int { 0 }

  private let group: InProcessGroup
  private let thread: RankThread
  private var collectives = 0
  private var splits = 0
  private var counters = 0

  init(group: InProcessGroup, rank: Int) {
    self.group = group
    self.rank = rank
    thread = group.members[rank]
  }

  /// A group of one, for a process that runs alone.
  public static func alone() -> InProcessCommunicator {
    InProcessCommunicator(group: InProcessGroup(members: Company(ranks: 1, patience: .standard).threads), rank: 0)
  }

  /// Starts a call and returns without waiting for other ranks.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request {
    exchange.check(rank: rank, size: size)
    if exchange.kind != .send && exchange.kind != .receive { collectives += 1 }
    let (meeting, slot) = try group.join(exchange, rank: rank, collective: collectives)
    return thread.add(exchange, meeting, slot: slot, group)
  }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool { try thread.test(request) }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) { try thread.wait(request) }

  /// Groups the ranks that give the same color, numbered by key, then by rank.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    let (ranks, place) = try membersOfSplit(color: color, key: key)
    splits += 1
    return InProcessCommunicator(group: group.subgroup(call: splits, color: color, ranks: ranks), rank: place)
  }

  /// A counter of all ranks of the group.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter {
    try barrier()
    counters += 1
    return group.counter(call: counters)
  }

  /// Does nothing until a moment of the clock that no one sets; false once every other rank of the group has ended.
  func idle(until end: UInt64) -> Bool { thread.idle(among: group.members, until: end) }
}

extension InProcessCommunicator {
  /// Runs `body` on as many threads as there are ranks and returns what each gave or threw, in rank order.
  ///
  /// When a rank throws, or ends too early, ranks that wait for it throw `.peerLost` with the first cause. A body must
  /// not let go of a buffer whose request it has not waited for, also when it throws: others may still copy from it.
  /// A body that returns with requests unfinished has failed.
  ///
  /// `stackBytes` is each thread's stack; memory is only used as far as it is touched. `patience` is the deadline of
  /// waits, by default the environment's.
  public static func run<T: Sendable>(
    ranks: Int, stackBytes: Int = 64 << 20, patience: Patience? = nil,
    _ body: @Sendable (any Communicator) throws -> T
  ) -> [Result<T, any Error>] {
    precondition(ranks > 0, "\(ranks) ranks")
    let deadline: Patience
    do throws(CommunicationError) {
      deadline = if let patience { patience } else { try Patience.fromEnvironment() }
    } catch {
      return Array(repeating: .failure(error), count: ranks)
    }
    let company = Company(ranks: ranks, patience: deadline)
    let group = InProcessGroup(members: company.threads)
    let outcomes = Outcomes<T>(ranks: ranks)
    withoutActuallyEscaping(body) { body in
      launchThreads(ranks, stackBytes: stackBytes) { rank, code in
        let outcome: Result<T, any Error>
        if code == 0 {
          outcome = attempt(InProcessCommunicator(group: group, rank: rank), body)
        } else {
          let text = String(cString: strerror(code))
          outcome = .failure(CommunicationError(.library(Int(code)), "cannot start rank \(rank)'s thread: \(text)"))
        }
        outcomes.set(rank, outcome)
        if case .failure(let error) = outcome {
          company.depart(rank, failure: "\(error)")
        } else {
          company.depart(rank, failure: nil)
        }
      }
    }
    return outcomes.all
  }

  private static func attempt<T>(
    _ communicator: InProcessCommunicator, _ body: (any Communicator) throws -> T
  ) -> Result<T, any Error> {
    do {
      let value = try body(communicator)
      let unfinished = communicator.thread.unfinished
      if unfinished.isEmpty { return .success(value) }
      let calls = unfinished.joined(separator: "; ")
      return .failure(
        CommunicationError(.mismatch, "rank \(communicator.rank) ended without waiting for its \(calls)"))
    } catch {
      return .failure(error)
    }
  }
}

/// What each rank's thread gave. `@unchecked Sendable`: each thread writes its own element, and all are joined before
/// the elements are read.
private final class Outcomes<T>: @unchecked Sendable {
  private let base: UnsafeMutablePointer<Result<T, any Error>?>
  private let ranks: Int

  init(ranks: Int) {
    self.ranks = ranks
    base = .allocate(capacity: ranks)
    base.initialize(repeating: nil, count: ranks)
  }

  deinit {
    base.deinitialize(count: ranks)
    base.deallocate()
  }

  func set(_ rank: Int, _ outcome: Result<T, any Error>) { base[rank] = outcome }
  var all: [Result<T, any Error>] { (0..<ranks).compactMap { base[$0] } }
}

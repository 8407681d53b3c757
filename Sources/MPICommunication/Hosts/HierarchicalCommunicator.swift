import Communication

/// Ranks as processes on several hosts with equally many each: what is summed by a tree is first added within each host,
/// through memory that its ranks share, and only what is left travels between hosts. Everything else goes by messages.
///
/// A tree-reduce of n elements moves about 2·n·(h−1)/h scalars out of each of h hosts, however many ranks it has, where the
/// tree adds each host's blocks first; by messages alone it is that for every rank. Bits, and what the ledger counts, are
/// those of messages. Memory from `allocate` is used where it is, other memory passes through staging areas.
///
/// `@unchecked Sendable`: used by one thread at a time, as MPI was told.
public final class HierarchicalCommunicator: Communicator, @unchecked Sendable {
  /// This rank, from 0.
  public var rank: Int { base.rank }
  /// Ranks in the group.
  public var size: Int { base.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { base.pending }
  /// Bytes given to MPI for other ranks so far, in all groups of this process: not what passed through memory.
  public var wireBytes: Int { base.wireBytes }

  /// A group of its own of the ranks, whose tree-reduces go through the team.
  private let base: MPICommunicator
  private let team: HostTeam

  /// Connects the ranks of a world with such a layout; nil on every rank where the memory of any host cannot be shared.
  /// Collective over `world`.
  static func make(
    _ world: MPICommunicator, _ layout: HostLayout
  ) throws(CommunicationError) -> HierarchicalCommunicator? {
    let base = try world.part(Array(0..<world.size), world.rank)
    guard let team = try HostTeam.make(base, layout) else { return nil }
    base.group.team = team
    base.deck.join(team.host)
    return HierarchicalCommunicator(base, team)
  }

  private init(_ base: MPICommunicator, _ team: HostTeam) {
    self.base = base
    self.team = team
  }

  /// Starts a call and returns without waiting for other ranks.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request { try base.start(exchange) }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool { try base.test(request) }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) { try base.wait(request) }

  /// Groups the ranks that give the same color, numbered by key, then by rank. A group on one host exchanges through its
  /// memory, any other by messages.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    let (ranks, place) = try membersOfSplit(color: color, key: key)
    let part = try base.part(ranks, place)
    let layout = team.layout
    guard ranks.count > 1, ranks.allSatisfy({ layout.host(of: $0) == team.number }),
      let window = try WindowGroup.make(part, places: ranks.map(layout.place), team.host)
    else { return part }
    return WindowCommunicator(window)
  }

  /// A counter of all ranks of the group, in a window of MPI.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter { try base.makeTicketCounter() }

  /// Memory that all ranks of the host see, where it has room for it.
  public func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory {
    // A rank that does not come is named here, by its number in the world.
    try base.barrier()
    let shared = try team.allocate(byteCount: byteCount)
    return if let shared { shared } else { try CommunicatorMemory(zeroed: byteCount) }
  }
}

import COpenMPI
import Communication

/// Ranks as processes that MPI connects.
///
/// Everything is made of nonblocking messages that are polled against a deadline, because a blocking call of MPI never
/// notices a peer that stopped. Reductions are folded here, in rank order, so that they give the bits of every other
/// transport; MPI's own change bits with the number of ranks and the algorithm it picks.
///
/// A communicator lasts as long as the `MPIEnvironment` it came from.
///
/// `@unchecked Sendable`: used by one thread at a time, as MPI was told.
public final class MPICommunicator: Communicator, @unchecked Sendable {
  /// This rank, from 0.
  public var rank: Int { group.rank }
  /// Ranks in the group.
  public var size: Int { group.size }
  /// Requests that this rank started and has not waited for.
  public var pending: Int { deck.pending(in: group) }
  /// Bytes given to MPI for other ranks so far, in all groups of this process.
  public var wireBytes: Int { deck.wireBytes }

  let group: MPIGroup
  let deck: FlightDeck

  init(_ group: MPIGroup, _ deck: FlightDeck) {
    self.group = group
    self.deck = deck
    deck.groups.append(group)
  }

  /// Starts a call and returns without waiting for other ranks.
  public func start(_ exchange: Exchange) throws(CommunicationError) -> Request { try deck.start(exchange, group) }

  /// Moves all requests forward; true if this one is finished.
  public func test(_ request: Request) throws(CommunicationError) -> Bool { try deck.test(request) }

  /// Returns when the request is finished.
  public func wait(_ request: Request) throws(CommunicationError) { try deck.wait(request) }

  /// Groups the ranks that give the same color, numbered by key, then by rank.
  public func split(color: Int, key: Int) throws(CommunicationError) -> any Communicator {
    // Gathered first, which has a deadline; MPI's own split then finds everyone there. It takes small colors only.
    let (ranks, place) = try membersOfSplit(color: color, key: key)
    return try part(ranks, place)
  }

  /// A counter of all ranks of the group, in a window of MPI.
  public func makeTicketCounter() throws(CommunicationError) -> any TicketCounter {
    // MPI makes a window without a deadline, so everyone is known to come first; and nobody takes before rank 0 has set it.
    try barrier()
    let counter = try deck.tickets.make(group, isCrowded: deck.isCrowded)
    try barrier()
    return counter
  }

  /// The group of some ranks, of which this one is the `place`-th. Collective over all parts, once everyone is known to come.
  func part(_ ranks: [Int], _ place: Int) throws(CommunicationError) -> MPICommunicator {
    var identity = group.identity
    identity.mix(group.parts)
    identity.mix(ranks[0])
    group.parts += 1
    return MPICommunicator(
      try MPIGroup(group.collectives, color: ranks[0], key: place, identity: identity), deck)
  }

  /// One number of each rank, combined.
  func combined(_ value: Int64, _ reduction: Reduction) throws(CommunicationError) -> Int64 {
    let cell = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
    defer { cell.deallocate() }
    cell[0] = value
    try allReduce(cell, reduction)
    return cell[0]
  }

  /// Bytes of the longest single message; all ranks must agree. For tests.
  package func limitMessages(toBytes bytes: Int) { deck.largestMessage = bytes }
}

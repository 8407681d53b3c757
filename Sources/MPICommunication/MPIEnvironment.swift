import COpenMPI
import Communication
import Glibc

/// MPI in this process, from its start to its end. It can be started once.
///
/// There is no end by `deinit`: a process that leaves without `finalise` has failed, and the launcher then ends the others
/// instead of letting them wait.
public final class MPIEnvironment {
  /// All ranks of the job, connected by what is fastest.
  public let world: any Communicator
  /// All ranks of the job, connected by messages.
  public let messages: MPICommunicator
  /// The library and its version, in one line.
  public let library: String
  /// The name of this host.
  public let host: String

  /// Starts MPI, for use by one thread at a time. Collective.
  ///
  /// `transport` is how to connect the ranks, by default what the environment says. Throws `.setting` where the environment
  /// says something else than a deadline or a transport, or a transport that cannot be had, `.library` with MPI's words
  /// where it fails.
  public convenience init(transport: TransportSetting? = nil) throws(CommunicationError) {
    try self.init(transport: transport, ranksPerHost: nil)
  }

  /// The same, where so many ranks in a row pretend to be on a host of their own. For tests.
  package init(transport: TransportSetting? = nil, ranksPerHost: Int?) throws(CommunicationError) {
    let setting = if let transport { transport } else { try TransportSetting.fromEnvironment() }
    let patience = try Patience.fromEnvironment()
    var provided: CInt = 0
    try check(MPI_Init_thread(nil, nil, CInt(MPI_THREAD_SERIALIZED), &provided), "starting MPI")
    guard provided >= CInt(MPI_THREAD_SERIALIZED) else {
      throw CommunicationError(
        .library(Int(provided)), "this MPI allows calls from its main thread only; nndist needs MPI_THREAD_SERIALIZED")
    }
    messages = MPICommunicator(try MPIGroup(nndist_mpi_world()), FlightDeck(patience: patience))
    world = try MPIEnvironment.connect(messages, setting, ranksPerHost)
    library = MPIEnvironment.libraryVersion
    host = MPIEnvironment.text(Int(MPI_MAX_PROCESSOR_NAME)) { MPI_Get_processor_name($0, $1) }
  }

  /// The world through shared memory where all ranks live on one host and it has room, and where that is wanted; through
  /// that and messages where they live on several with equally many ranks.
  private static func connect(
    _ messages: MPICommunicator, _ setting: TransportSetting, _ ranksPerHost: Int?
  ) throws(CommunicationError) -> any Communicator {
    // Ranks may have been started in different environments: messages where any of them wants those.
    guard messages.size > 1, try messages.combined(setting == .messages ? 1 : 0, .maximum) == 0 else { return messages }
    let isForced = try messages.combined(setting == .window ? 1 : 0, .maximum) == 1
    let lowestRanks = try lowestRanks(messages, ranksPerHost)
    guard lowestRanks.allSatisfy({ $0 == 0 }), let window = try window(messages) else {
      if !isForced {
        guard let layout = HostLayout(lowestRanks: lowestRanks) else { return messages }
        return if let world = try HierarchicalCommunicator.make(messages, layout) { world } else { messages }
      }
      throw CommunicationError(
        .setting,
        "\(TransportSetting.variable) is `window`, but the ranks do not all share a host with room in /dev/shm; "
          + "`auto` uses messages then")
    }
    if !isForced { window.choose(try TransportChoice.measured(window: window, messages: messages)) }
    return window
  }

  private static func window(_ messages: MPICommunicator) throws(CommunicationError) -> WindowCommunicator? {
    guard let board = try HostBoard.make(messages) else { return nil }
    let group = try WindowGroup.make(messages, places: Array(0..<messages.size), WindowHost(board: board))
    return group.map { WindowCommunicator($0) }
  }

  /// For each rank the lowest on its host.
  private static func lowestRanks(
    _ messages: MPICommunicator, _ ranksPerHost: Int?
  ) throws(CommunicationError) -> [Int] {
    let own = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
    let all = UnsafeMutableBufferPointer<Int64>.allocate(capacity: messages.size)
    defer {
      own.deallocate()
      all.deallocate()
    }
    let lowest =
      if let ranksPerHost { messages.rank / ranksPerHost * ranksPerHost } else { try messages.group.lowestRankOnHost() }
    own[0] = Int64(lowest)
    try messages.allGather(UnsafeBufferPointer(own), into: all)
    return all.map(Int.init)
  }

  /// Meets all ranks, within the deadline, and ends MPI. Collective. After an error use `abort` instead: MPI's end has
  /// no deadline of its own.
  public func finalise() throws(CommunicationError) {
    let unfinished = messages.deck.unfinished
    if !unfinished.isEmpty {
      throw CommunicationError(
        .mismatch, "rank \(world.rank) ended without waiting for its \(unfinished.joined(separator: "; "))")
    }
    try world.barrier()
    try messages.deck.tickets.free()
    try check(MPI_Finalize(), "ending MPI")
  }

  /// Ends all processes of the job; the launcher returns `code`. Works before MPI started and after it ended too, for
  /// this process alone.
  public static func abort(code: Int) -> Never {
    var started: CInt = 0
    var ended: CInt = 0
    MPI_Initialized(&started)
    MPI_Finalized(&ended)
    if started != 0 && ended == 0 { MPI_Abort(nndist_mpi_world(), CInt(code)) }
    _exit(CInt(code))
  }

  /// The library and its version, in one line; MPI need not have been started.
  public static var libraryVersion: String {
    text(Int(MPI_MAX_LIBRARY_VERSION_STRING)) { MPI_Get_library_version($0, $1) }
  }

  private static func text(
    _ capacity: Int, _ fill: (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<CInt>) -> CInt
  ) -> String {
    var length: CInt = 0
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity + 1) { buffer in
      guard let base = buffer.baseAddress, fill(base, &length) == CInt(MPI_SUCCESS) else { return "" }
      let bytes = UnsafeRawBufferPointer(start: base, count: min(Int(length), capacity))
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

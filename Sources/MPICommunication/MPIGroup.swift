import COpenMPI
import Communication

/// MPI's side of one group of ranks: three private communicators, so that neither other users of MPI nor messages,
/// collectives and reports of our own can take each other's traffic.
///
/// Groups last until MPI is finalised: freeing one would be collective, and objects die when they like.
final class MPIGroup {
  let rank: Int
  let size: Int
  /// Carries collectives.
  let collectives: MPI_Comm
  /// Carries messages between two ranks.
  let messages: MPI_Comm
  /// The same number on all ranks, and no other group's.
  let identity: Fingerprint
  private let tagLayout: TagLayout
  /// What ranks that wait for long tell each other.
  let board: ReportBoard
  /// The collectives that this rank started.
  private(set) var history = CallHistory()
  /// The ranks of this host, where tree-reduces of this group first add what is theirs.
  var team: HostTeam?
  /// Groups made of this one so far.
  var parts = 0
  /// The last exchange of which this rank said that it held it up.
  var answered = 0

  /// Duplicates `parent`, or makes the groups of a split of it. Collective.
  init(
    _ parent: MPI_Comm, color: Int = 0, key: Int = 0, identity: Fingerprint = Fingerprint()
  ) throws(CommunicationError) {
    self.identity = identity
    collectives = try MPIGroup.made("splitting a communicator") { MPI_Comm_split(parent, CInt(color), CInt(key), &$0) }
    let base = collectives
    messages = try MPIGroup.made("duplicating a communicator") { MPI_Comm_dup(base, &$0) }
    let channel = try MPIGroup.made("duplicating a communicator") { MPI_Comm_dup(base, &$0) }
    var number: CInt = 0
    try check(MPI_Comm_rank(collectives, &number), "asking for the rank")
    rank = Int(number)
    try check(MPI_Comm_size(collectives, &number), "asking for the number of ranks")
    size = Int(number)
    let largestTag = Int(nndist_mpi_largest_tag())
    precondition(largestTag >= Exchange.tagLimit * 8 - 1, "MPI's largest tag is \(largestTag)")
    tagLayout = TagLayout(largestTag: largestTag)
    board = ReportBoard(channel: channel, rank: rank, size: size)
  }

  /// All ranks of this group, as those who exchange.
  var circle: Circle { Circle(place: rank, size: size) }

  /// The lowest rank of this group on this host. Collective.
  func lowestRankOnHost() throws(CommunicationError) -> Int {
    let base = collectives
    var host: MPI_Comm? = try MPIGroup.made("looking for the ranks of this host") {
      MPI_Comm_split_type(base, CInt(MPI_COMM_TYPE_SHARED), 0, nndist_mpi_no_information(), &$0)
    }
    // It numbers them in the order of their ranks here.
    var lowest = CInt(rank)
    try check(
      MPI_Bcast(&lowest, CInt(MemoryLayout<CInt>.size), nndist_mpi_byte(), 0, host),
      "naming the lowest rank of this host")
    try check(MPI_Comm_free(&host), "letting go of a communicator")
    return Int(lowest)
  }

  /// Takes note of a collective; returns its number and the tag of its messages.
  func count(_ exchange: Exchange) -> (number: Int, tag: CInt) {
    history.add(exchange, ranks: size)
    return (history.number, tagLayout.tag(history.chain, number: history.number))
  }

  private static func made(
    _ what: String, _ make: (inout MPI_Comm?) -> CInt
  ) throws(CommunicationError) -> MPI_Comm {
    var group: MPI_Comm?
    try check(make(&group), what)
    guard let group else { throw CommunicationError(.library(0), "\(what): MPI returned none") }
    try check(nndist_mpi_return_errors(group), "setting the error handler")
    return group
  }
}

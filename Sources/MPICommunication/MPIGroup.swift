import COpenMPI
import Communication

/// MPI's side of one group of ranks: two private communicators, so that neither other users of MPI nor messages and
/// collectives of our own can take each other's traffic.
///
/// Groups last until MPI is finalised: freeing one would be collective, and objects die when they like.
final class MPIGroup {
  let rank: Int
  let size: Int
  /// Carries collectives.
  let collectives: MPI_Comm
  /// Carries messages between two ranks.
  let messages: MPI_Comm
  /// How collectives are told apart.
  let signature: Signature
  /// Collectives started so far.
  var number = 0

  /// Duplicates `parent`, or makes the groups of a split of it. Collective.
  init(_ parent: MPI_Comm, color: Int = 0, key: Int = 0) throws(CommunicationError) {
    let made = try MPIGroup.pair(parent, color, key)
    collectives = made.0
    messages = made.1
    var number: CInt = 0
    try check(MPI_Comm_rank(collectives, &number), "asking for the rank")
    rank = Int(number)
    try check(MPI_Comm_size(collectives, &number), "asking for the number of ranks")
    size = Int(number)
    let largestTag = Int(nndist_mpi_largest_tag())
    precondition(largestTag >= Exchange.tagLimit * 8 - 1, "MPI's largest tag is \(largestTag)")
    signature = Signature(largestTag: largestTag)
  }

  /// Ranks of this group on this host. Collective.
  func ranksOnHost() throws(CommunicationError) -> Int {
    var host: MPI_Comm?
    var count: CInt = 0
    let code = MPI_Comm_split_type(
      collectives, CInt(MPI_COMM_TYPE_SHARED), 0, nndist_mpi_no_information(), &host)
    try check(code, "looking for the ranks of this host")
    guard host != nil else { throw CommunicationError(.library(0), "MPI_Comm_split_type returned no communicator") }
    try check(MPI_Comm_size(host, &count), "counting the ranks of this host")
    try check(MPI_Comm_free(&host), "letting go of a communicator")
    return Int(count)
  }

  private static func pair(
    _ parent: MPI_Comm, _ color: Int, _ key: Int
  ) throws(CommunicationError) -> (MPI_Comm, MPI_Comm) {
    var first: MPI_Comm?
    var second: MPI_Comm?
    try check(MPI_Comm_split(parent, CInt(color), CInt(key), &first), "splitting a communicator")
    guard let first else { throw CommunicationError(.library(0), "MPI_Comm_split returned no communicator") }
    try check(nndist_mpi_return_errors(first), "setting the error handler")
    try check(MPI_Comm_dup(first, &second), "duplicating a communicator")
    guard let second else { throw CommunicationError(.library(0), "MPI_Comm_dup returned no communicator") }
    try check(nndist_mpi_return_errors(second), "setting the error handler")
    return (first, second)
  }
}

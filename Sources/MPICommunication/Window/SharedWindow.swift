import COpenMPI
import CSharedMemory
import Communication

/// Memory that the ranks of one host share: a segment of each, in one MPI-3 window.
///
/// A window lies at another address in every process, so what ranks tell each other are offsets into segments. Windows
/// last until the process ends: to free one would be collective, and objects die when they like.
final class SharedWindow {
  /// The segments, by rank in the group that made the window, at their addresses in this process.
  let segments: [UnsafeMutableRawPointer]
  /// Bytes of this rank's own segment.
  let byteCount: Int

  private static let pageBytes = 4_096

  private init(segments: [UnsafeMutableRawPointer], byteCount: Int) {
    self.segments = segments
    self.byteCount = byteCount
  }

  /// Makes a window in which this rank has a zeroed segment of so many bytes, aligned to a page; nil on every rank where it
  /// cannot be had. Collective over `group`, whose ranks share a host.
  static func make(byteCount: Int, _ group: MPICommunicator) throws(CommunicationError) -> SharedWindow? {
    let pages = (byteCount + pageBytes - 1) / pageBytes * pageBytes
    // One page more, because MPI promises no alignment.
    let asked = pages + pageBytes
    let total = try group.combined(Int64(asked), .sum)
    let left = Int64(clamping: nndist_shared_memory_left())
    guard try group.combined(left, .minimum) > total else { return nil }
    var base: UnsafeMutableRawPointer?
    var window: MPI_Win?
    let code = MPI_Win_allocate_shared(
      MPI_Aint(asked), 1, nndist_mpi_no_information(), group.group.collectives, &base, &window)
    let isMade = code == CInt(MPI_SUCCESS)
    guard try group.combined(isMade ? 1 : 0, .minimum) == 1, let window else { return nil }
    // Components that watch MPI's windows can keep them from being asked for their segments: then it is done without.
    try check(nndist_mpi_window_returns_errors(window), "setting the error handler")
    var segments: [UnsafeMutableRawPointer] = []
    for rank in 0..<group.size {
      var bytes: MPI_Aint = 0
      var unit: CInt = 0
      var segment: UnsafeMutableRawPointer?
      let code = MPI_Win_shared_query(window, CInt(rank), &bytes, &unit, &segment)
      if code == CInt(MPI_SUCCESS), let segment { segments.append(segment.alignedUp(toMultipleOf: pageBytes)) }
    }
    // Without room for every page the first touch of one would end the process.
    let isUsable = segments.count == group.size && nndist_populate(segments[group.rank], pages) != 0
    guard try group.combined(isUsable ? 1 : 0, .minimum) == 1 else { return nil }
    return SharedWindow(segments: segments, byteCount: pages)
  }
}

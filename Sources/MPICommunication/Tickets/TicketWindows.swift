import COpenMPI
import Communication

/// The windows of tickets that this process has a part in. They last until MPI is finalised: freeing one is collective.
final class TicketWindows {
  private var windows: [MPI_Win?] = []
  private let patience: Patience
  /// A group in which this process hands out tickets, which MPI may only do while it is called; nil where there is none.
  private var served: MPI_Comm?

  init(patience: Patience) { self.patience = patience }

  /// Makes a counter of the ranks of a group, which all have come. Collective.
  func make(_ group: MPIGroup, isCrowded: Bool) throws(CommunicationError) -> MessageTicketCounter {
    var base: UnsafeMutableRawPointer?
    var window: MPI_Win?
    let bytes = group.rank == 0 ? MemoryLayout<Int64>.size : 0
    try check(
      MPI_Win_allocate(
        MPI_Aint(bytes), CInt(MemoryLayout<Int64>.size), nndist_mpi_no_information(), group.collectives, &base, &window),
      "making a counter of tickets")
    guard let window else { throw CommunicationError(.library(0), "making a counter of tickets: MPI returned none") }
    try check(nndist_mpi_window_returns_errors(window), "setting the error handler")
    windows.append(window)
    try check(MPI_Win_lock_all(CInt(MPI_MODE_NOCHECK), window), "opening a counter of tickets")
    if group.rank == 0 {
      base?.storeBytes(of: 0, as: Int64.self)
      try check(MPI_Win_sync(window), "setting a counter of tickets")
      if group.size > 1 { served = group.messages }
    }
    return MessageTicketCounter(window, rank: group.rank, patience: patience, isCrowded: isCrowded)
  }

  /// Lets MPI hand out tickets, where it needs to be called for that.
  @inline(__always)
  func serve() throws(CommunicationError) {
    guard let served else { return }
    var found: CInt = 0
    try check(
      MPI_Iprobe(CInt(MPI_ANY_SOURCE), CInt(MPI_ANY_TAG), served, &found, nndist_mpi_no_status()), "serving tickets")
  }

  /// Frees all windows, in the order in which they were made. Collective.
  func free() throws(CommunicationError) {
    served = nil
    for index in windows.indices {
      try check(MPI_Win_unlock_all(windows[index]), "closing a counter of tickets")
      try check(MPI_Win_free(&windows[index]), "letting go of a counter of tickets")
    }
    windows = []
  }
}

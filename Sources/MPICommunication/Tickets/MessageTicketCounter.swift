import COpenMPI
import CSharedMemory
import Communication
import Glibc

/// Tickets of processes that MPI connects: a word of rank 0's that the others add to from afar.
///
/// Each ticket is a request that is polled against the deadline, because to flush a window would wait for ever for a rank 0
/// that stopped.
///
/// `@unchecked Sendable`: all is done under the lock, by one thread of the process at a time, as MPI was told.
final class MessageTicketCounter: TicketCounter, @unchecked Sendable {
  private let window: MPI_Win
  private let rank: Int
  private let patience: Patience
  private let isCrowded: Bool
  /// What to add, and what was there before.
  private let operands = UnsafeMutablePointer<Int64>.allocate(capacity: 2)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var failure: CommunicationError?

  init(_ window: MPI_Win, rank: Int, patience: Patience, isCrowded: Bool) {
    self.window = window
    self.rank = rank
    self.patience = patience
    self.isCrowded = isCrowded
    operands.initialize(repeating: 1, count: 2)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    // After a failure the answer may still be written.
    if failure == nil { operands.deallocate() }
  }

  func next() throws(CommunicationError) -> Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let failure { throw failure }
    do {
      return try take()
    } catch {
      failure = error
      throw error
    }
  }

  private func take() throws(CommunicationError) -> Int {
    var request: MPI_Request? = nndist_mpi_no_request()
    let code = MPI_Rget_accumulate(
      operands, 1, nndist_mpi_int64(), operands + 1, 1, nndist_mpi_int64(), 0, 0, 1, nndist_mpi_int64(),
      nndist_mpi_sum(), window, &request)
    try check(code, "taking a ticket")
    let began = monotonicNanoseconds()
    while true {
      var isDone: CInt = 0
      try check(MPI_Test(&request, &isDone, nndist_mpi_no_status()), "taking a ticket")
      if isDone != 0 { return Int(operands[1]) }
      let waited = monotonicNanoseconds() - began
      if waited < Patience.spin && !isCrowded { nndist_pause() } else { sched_yield() }
      if waited > patience.nanoseconds {
        throw CommunicationError(
          .timeout,
          "rank \(rank) waited \(patience.described) for rank 0 to hand out a ticket; "
            + "\(Patience.variable) sets the limit")
      }
    }
  }
}

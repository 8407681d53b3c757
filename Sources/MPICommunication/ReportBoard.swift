import COpenMPI
import Communication

/// The reports of one group's ranks, on a channel of their own. Nothing is sent or looked for in a steady step.
final class ReportBoard {
  /// The latest report of each other rank.
  private(set) var heard: [Report?]
  /// Bytes given to MPI for others.
  private(set) var bytesSent = 0

  private let channel: MPI_Comm
  private let rank: Int
  private var leaving: [Leaving] = []

  /// A report on its way to all others.
  private struct Leaving {
    let memory: UnsafeMutableRawPointer
    var requests: [MPI_Request?]
  }

  init(channel: MPI_Comm, rank: Int, size: Int) {
    self.channel = channel
    self.rank = rank
    heard = Array(repeating: nil, count: size)
  }

  /// Starts sending a report to every other rank.
  func post(_ report: Report) throws(CommunicationError) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Report.byteCount, alignment: 8)
    report.write(to: memory)
    leaving.append(Leaving(memory: memory, requests: []))
    for other in heard.indices where other != rank {
      var request: MPI_Request? = nndist_mpi_no_request()
      let code = MPI_Isend(memory, CInt(Report.byteCount), nndist_mpi_byte(), CInt(other), 0, channel, &request)
      try check(code, "reporting to rank \(other)")
      bytesSent += Report.byteCount
      leaving[leaving.count - 1].requests.append(request)
    }
  }

  /// Takes in what has arrived and forgets what has left.
  func collect() throws(CommunicationError) {
    while true {
      var found: CInt = 0
      var status = MPI_Status()
      try check(MPI_Iprobe(CInt(MPI_ANY_SOURCE), 0, channel, &found, &status), "looking for reports")
      if found == 0 { break }
      let source = status.MPI_SOURCE
      let memory = UnsafeMutableRawPointer.allocate(byteCount: Report.byteCount, alignment: 8)
      defer { memory.deallocate() }
      let code = MPI_Recv(memory, CInt(Report.byteCount), nndist_mpi_byte(), source, 0, channel, &status)
      try check(code, "reading a report of rank \(source)")
      heard[Int(source)] = Report(from: memory)
    }
    while let first = leaving.first {
      var requests = first.requests
      var done: CInt = 0
      let code = MPI_Testall(CInt(requests.count), &requests, &done, nndist_mpi_no_statuses())
      try check(code, "sending reports")
      leaving[0].requests = requests
      if done == 0 { return }
      first.memory.deallocate()
      leaving.removeFirst()
    }
  }
}

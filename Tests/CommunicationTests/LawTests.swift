import Communication
import CommunicationLaws
import Testing

extension CommunicationSuites {
  @Suite("Laws every communicator obeys")
  struct LawTests {
    @Test("ranks as threads", arguments: Law.all, [1, 2, 3, 4, 5, 8])
    func inProcess(law: Law, ranks: Int) {
      for result in InProcessCommunicator.run(ranks: ranks, { try law.check($0) }) {
        if case .failure(let error) = result { Issue.record("\(error)") }
      }
    }

    @Test("a meter around ranks as threads", arguments: [1, 3])
    func metered(ranks: Int) {
      for result in InProcessCommunicator.run(ranks: ranks, { try Law.checkAll(MeteredCommunicator($0)) }) {
        if case .failure(let error) = result { Issue.record("\(error)") }
      }
    }

    @Test("a faulty one around ranks as threads, as long as no fault is demanded", arguments: [1, 3])
    func faulty(ranks: Int) {
      for result in InProcessCommunicator.run(ranks: ranks, { try Law.checkAll(FaultyCommunicator($0)) }) {
        if case .failure(let error) = result { Issue.record("\(error)") }
      }
    }

    @Test("a process on its own")
    func alone() throws {
      let communicator = InProcessCommunicator.alone()
      #expect(communicator.rank == 0)
      #expect(communicator.size == 1)
      try Law.checkAll(communicator)
    }

    @Test("ranks as processes under mpirun", arguments: [1, 2, 3, 4, 5, 8])
    func mpi(ranks: Int) throws {
      let run = try MPIRun(ranks: ranks)
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains("laws hold on \(ranks) ranks"), "\(run.output)\(run.errors)")
    }

    @Test("ranks that pretend to be on several hosts", arguments: [(4, 2), (6, 2), (6, 3), (8, 4), (3, 2)])
    func hosts(ranks: Int, ranksPerHost: Int) throws {
      let run = try MPIRun(ranks: ranks, ["hosts", "\(ranksPerHost)"])
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains("laws hold on \(ranks) ranks"), "\(run.output)\(run.errors)")
      // Hosts with unequally many ranks exchange by messages alone.
      let isEven = ranks % ranksPerHost == 0
      #expect(run.output.contains("hosts reduce on their own") == isEven, "\(run.output)")
    }
  }
}

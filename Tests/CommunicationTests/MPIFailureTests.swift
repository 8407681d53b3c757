import Foundation
import Testing

extension CommunicationSuites {
  @Suite("What becomes of ranks when one fails, under mpirun")
  struct MPIFailureTests {
    @Test("a rank that ends without a word ends the job")
    func leave() throws {
      let run = try MPIRun(ranks: 3, ["leave", "1"], timeout: "30")
      #expect(run.status != 0)
    }

    @Test("a rank that is killed is named by all that share memory with it")
    func killed() throws {
      let run = try MPIRun(ranks: 3, ["kill", "1"], transport: "window")
      #expect(run.status != 0)
      for rank in [0, 2] {
        let words = "rank 1 ended while rank \(rank) was waiting for it in all-reduce (sum) of 1048576 Float"
        #expect(run.errors.contains(words), "\(run.errors)")
      }
    }

    @Test("a transport that does not exist is refused, and the job returns 3")
    func transport() throws {
      let run = try MPIRun(ranks: 1, [], transport: "pigeons")
      #expect(run.status == 3, "\(run.errors)")
      let words = "NNDIST_TRANSPORT is `pigeons`; it takes one of auto, window, messages"
      #expect(run.errors.contains(words), "\(run.errors)")
    }

    @Test(
      "a rank that stops is named when patience ends, and the job returns 6", arguments: [2, 4], ["window", "messages"])
    func stop(ranks: Int, transport: String) throws {
      let run = try MPIRun(ranks: ranks, ["stop", "1"], timeout: "2", transport: transport)
      #expect(run.status == 6, "\(run.errors)")
      #expect(run.errors.contains("waited 2 s for rank 1 in barrier"), "\(run.errors)")
      // Of more ranks, those that did come are named with their calls.
      #expect(ranks == 2 || run.errors.contains("; rank 3 called barrier; "), "\(run.errors)")
    }

    @Test(
      "a stage that stops is named when patience ends, and the job returns 6", arguments: [2, 3],
      ["window", "messages"])
    func stopStage(ranks: Int, transport: String) throws {
      let run = try MPIRun(ranks: ranks, ["stop-stage", "1"], timeout: "2", transport: transport)
      #expect(run.status == 6, "\(run.errors)")
      #expect(run.errors.contains("waited 2 s for rank 1 in receive of"), "\(run.errors)")
    }

    /// What the last rank does, and what it and the others are said to have called.
    static let contradictions: [(what: String, odd: String, others: String)] = [
      ("kind", "broadcast of 6 Float from rank 0", "all-reduce (sum) of 6 Float"),
      ("count", "all-reduce (sum) of 5 Float", "all-reduce (sum) of 6 Float"),
      ("empty", "broadcast of 0 Float from rank 0", "broadcast of 6 Float from rank 0"),
      ("type", "broadcast of 12 Float from rank 0", "broadcast of 12 Int32 from rank 0"),
      ("reduction", "all-reduce (maximum) of 6 Float", "all-reduce (sum) of 6 Float"),
      ("label", "all-reduce (sum) of 6 Float (bucket 4)", "all-reduce (sum) of 6 Float (bucket 3)"),
      ("skip", "blocks (bucket 2)", "blocks (bucket 1)"),
      ("last", "barrier", "all-reduce (sum) of 6 Float"),
      ("group", "all-reduce (maximum) of 6 Float", "all-reduce (sum) of 6 Float"),
      ("pair", "all-to-all of Float, sending [1, 1", "all-to-all of Float, sending [2, 2"),
    ]

    @Test(
      "ranks that call something else are named, with everyone's call, and the job returns 7",
      arguments: contradictions, [(2, "messages"), (4, "messages"), (2, "window"), (4, "window")])
    func contradiction(
      _ trial: (what: String, odd: String, others: String), _ world: (ranks: Int, transport: String)
    ) throws {
      let (ranks, transport) = world
      let run = try MPIRun(ranks: ranks, ["contradict", trial.what], transport: transport)
      #expect(run.status == 7, "\(run.errors)")
      let line = run.errors.split(separator: "\n").first { $0.hasPrefix("error: ranks disagree: ") } ?? ""
      // Cut at the names of ranks, each clause is about one of them.
      let places = (0..<ranks).compactMap {
        line.range(of: "rank \($0) called ") ?? line.range(of: "rank \($0) waited in ")
      }
      try #require(places.count == ranks, "\(run.errors)")
      for rank in 0..<ranks {
        let end = rank + 1 < ranks ? places[rank + 1].lowerBound : line.endIndex
        let clause = line[places[rank].upperBound..<end]
        #expect(clause.contains(rank == ranks - 1 ? trial.odd : trial.others), "rank \(rank): \(run.errors)")
      }
    }

    @Test("ranks of several hosts are named by their numbers in the world, and the job returns 7", arguments: [3, 2])
    func hosts(ranksPerHost: Int) throws {
      // The odd one out is alone on its host's side of the call, or with another of its host.
      let run = try MPIRun(ranks: 6, ["hosts", "\(ranksPerHost)", "contradict", "skip"])
      #expect(run.status == 7, "\(run.errors)")
      let call = "called tree-reduce of 6 Float in [1, 1, 1, 1, 1, 1] blocks"
      let clauses = (0..<6).map { "rank \($0) \(call) (bucket \($0 == 5 ? 2 : 1))" }
      #expect(run.errors.contains("ranks disagree: " + clauses.joined(separator: ", ")), "\(run.errors)")
    }

    @Test("ranks that wait for each other, through a host's memory and by messages, are named, and the job returns 7")
    func crossed() throws {
      let run = try MPIRun(ranks: 4, ["hosts", "2", "contradict", "inside"])
      #expect(run.status == 7, "\(run.errors)")
      let whole = (0..<3).map { "rank \($0) called all-reduce (sum) of 6 Float" }.joined(separator: ", ")
      let words = "ranks disagree: \(whole), rank 3 waited in all-reduce (sum) of 5 Float"
      #expect(run.errors.contains(words), "\(run.errors)")
    }

    @Test("a rank of several hosts that stops is named by the number it has in the world, and the job returns 6")
    func stopOfHosts() throws {
      let run = try MPIRun(ranks: 4, ["hosts", "2", "stop-tree", "3"], timeout: "2")
      #expect(run.status == 6, "\(run.errors)")
      #expect(run.errors.contains("waited 2 s for rank 3 in tree-reduce of 1024 Float"), "\(run.errors)")
    }

    @Test("a rank of several hosts that is killed is named by those who share its host")
    func killedOfHosts() throws {
      let run = try MPIRun(ranks: 4, ["hosts", "2", "kill-tree", "3"])
      #expect(run.status != 0)
      let words = "rank 3 ended while rank 2 was waiting for it in tree-reduce of 1024 Float"
      #expect(run.errors.contains(words), "\(run.errors)")
    }

    @Test("a rank that has much to do is no error")
    func slow() throws {
      let run = try MPIRun(ranks: 3, ["contradict", "slow"])
      #expect(run.status == 0 && run.output.contains("sum 3.0"), "\(run.errors)")
    }

    @Test("a deadline that is no number is refused, and the job returns 3")
    func deadline() throws {
      let run = try MPIRun(ranks: 1, [], timeout: "soon")
      #expect(run.status == 3, "\(run.errors)")
      #expect(run.errors.contains("NNDIST_TIMEOUT_SECONDS is `soon`"), "\(run.errors)")
    }
  }
}

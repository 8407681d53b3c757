import Communication
import Testing

extension CommunicationSuites {
  @Suite("Ranks that fail on demand, as threads")
  struct FaultyCommunicatorTests {
    /// What each rank has after it exchanged some numbers, or its error.
    private func run(
      ranks: Int, _ body: @Sendable (FaultyCommunicator, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) -> [Result<[Float], any Error>] {
      InProcessCommunicator.run(ranks: ranks, patience: Patience(seconds: 0.2)) { base in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 4)
        defer { buffer.deallocate() }
        _ = buffer.initialize(from: [0, 1, 2, Float(base.rank)])
        try body(FaultyCommunicator(base), buffer)
        return Array(buffer)
      }
    }

    private func message(_ result: Result<[Float], any Error>) -> String {
      if case .failure(let error) = result { "\(error)" } else { "" }
    }

    @Test("one that dies is lost to the others, with its reason")
    func die() {
      let results = run(ranks: 3) { communicator, _ in
        if communicator.rank == 1 { try communicator.die("rank 1 was killed") }
        try communicator.barrier()
      }
      #expect(message(results[1]) == "rank 1 was killed")
      for rank in [0, 2] { #expect(message(results[rank]).contains("rank 1 failed (rank 1 was killed)")) }
    }

    @Test("one that hangs is waited for no longer than patience lasts, and keeps no one from ending")
    func hang() {
      let results = run(ranks: 3) { communicator, _ in
        if communicator.rank == 1 { try communicator.hang(seconds: nil, "rank 1 hung") }
        try communicator.barrier()
      }
      #expect(message(results[1]) == "rank 1 hung")
      for rank in [0, 2] { #expect(message(results[rank]).contains("rank 1")) }
    }

    @Test("one that hangs for a moment changes nothing")
    func delay() throws {
      let results = run(ranks: 2) { communicator, buffer in
        if communicator.rank == 1 { try communicator.hang(seconds: 0.001, "rank 1 hung") }
        try communicator.allReduce(buffer, .sum)
      }
      for result in results { #expect(try result.get() == [0, 2, 4, 1]) }
    }

    @Test("a wrong bit is in the first number that is not zero, of one call, on one rank")
    func corrupt() throws {
      let results = run(ranks: 2) { communicator, buffer in
        if communicator.rank == 1 { communicator.corrupt(call: 2, bit: 31) }
        try communicator.broadcast(buffer, root: 1)  // brings rank 1 nothing
        let request = try communicator.startAllReduce(buffer, .sum)
        try communicator.wait(request)
        #expect(Array(buffer) == [0, 2, 4, 2])
        try communicator.split(color: 0, key: 0).allReduce(buffer, .sum)
        #expect(!communicator.takeBack())
      }
      #expect(try results[0].get() == [0, 4, 8, 4])
      #expect(try results[1].get() == [0, -4, 8, 4])
    }

    @Test("what is taken back does not happen; a number's bits are counted round its end")
    func takenBack() throws {
      let results = run(ranks: 2) { communicator, buffer in
        communicator.corrupt(call: 1, bit: 1)
        #expect(communicator.takeBack())
        try communicator.allReduce(buffer, .sum)
        if communicator.rank == 0 { communicator.corrupt(call: 1, bit: 63) }
        try communicator.wait(communicator.startAllReduce(buffer, .sum))
      }
      #expect(try results[0].get() == [0, -4, 8, 2])
      #expect(try results[1].get() == [0, 4, 8, 2])
    }
  }
}

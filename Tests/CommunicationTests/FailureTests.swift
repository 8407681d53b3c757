import Communication
import Testing

/// Runs a body on ranks and returns each rank's communication error, or nil.
private func errors(
  ranks: Int, patience: Patience? = nil, _ body: @Sendable (any Communicator) throws -> Void
) -> [CommunicationError?] {
  InProcessCommunicator.run(ranks: ranks, patience: patience, body).map { result in
    if case .failure(let error as CommunicationError) = result { return error }
    return nil
  }
}

/// Does a call on one buffer of Float.
private func withFloats(_ count: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Void) rethrows {
  let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
  buffer.initialize(repeating: 1)
  defer { buffer.deallocate() }
  try body(buffer)
}

private struct Mishap: Error, CustomStringConvertible {
  let description = "the disk is full"
}

extension CommunicationSuites {
  @Suite("What becomes of ranks when one fails, as threads")
  struct FailureTests {
    @Test("a rank that throws fails those that wait for it, with its reason", arguments: [2, 3, 8])
    func thrown(ranks: Int) {
      let results = InProcessCommunicator.run(ranks: ranks) { communicator in
        if communicator.rank == 1 { throw Mishap() }
        try communicator.barrier()
      }
      for (rank, result) in results.enumerated() {
        guard case .failure(let error) = result else {
          Issue.record("rank \(rank) passed a barrier that rank 1 never entered")
          continue
        }
        if rank == 1 {
          #expect(error is Mishap)
        } else {
          let loss = error as? CommunicationError
          #expect(loss?.kind == .peerLost)
          #expect(loss?.message.contains("rank 1 failed (the disk is full)") == true, "\(error)")
          #expect(loss?.message.contains("rank \(rank) was waiting") == true, "\(error)")
        }
      }
    }

    @Test("a rank that returns too early is lost to the others")
    func early() {
      let found = errors(ranks: 3) { communicator in
        if communicator.rank == 2 { return }
        try communicator.barrier()
      }
      #expect(found[0]?.kind == .peerLost)
      #expect(found[1]?.kind == .peerLost)
      #expect(found[2] == nil)
    }

    @Test("a message from a rank that failed is an error")
    func lostMessage() {
      let found = errors(ranks: 2) { communicator in
        if communicator.rank == 1 { throw CommunicationError(.library(5), "no route") }
        try withFloats(3) { try communicator.receive($0, from: 1) }
      }
      #expect(found[0]?.kind == .peerLost)
      #expect(found[0]?.message.contains("no route") == true)
    }

    @Test("ranks that the lost one does not concern go on")
    func unconcerned() {
      let found = errors(ranks: 4) { communicator in
        let pair = try communicator.split(color: communicator.rank / 2, key: 0)
        if communicator.rank == 3 { throw Mishap() }
        try pair.barrier()
      }
      #expect(found[0] == nil)
      #expect(found[1] == nil)
      #expect(found[2]?.kind == .peerLost)
    }

    /// Calls that contradict each other, and words that the error has.
    static let contradictions: [@Sendable (any Communicator) throws -> Void] = [
      { communicator in  // the call
        if communicator.rank == 0 { return try communicator.barrier() }
        try withFloats(4) { try communicator.allReduce($0, .sum) }
      },
      { communicator in  // the count
        try withFloats(4 + communicator.rank) { try communicator.allReduce($0, .sum) }
      },
      { communicator in  // the type
        if communicator.rank == 0 { return try withFloats(4) { try communicator.broadcast($0, root: 0) } }
        var bytes = [UInt8](repeating: 0, count: 4)
        try bytes.withUnsafeMutableBufferPointer { try communicator.broadcast($0, root: 0) }
      },
      { communicator in  // the root
        try withFloats(4) { try communicator.broadcast($0, root: communicator.rank) }
      },
      { communicator in  // the reduction
        try withFloats(4) { try communicator.allReduce($0, communicator.rank == 0 ? .sum : .maximum) }
      },
      { communicator in  // one pair of an all-to-all
        let counts = communicator.rank == 0 ? [1, 2] : [3, 1]
        let total = counts.reduce(0, +)
        try withFloats(2 * total) { both in
          try communicator.allToAll(
            UnsafeBufferPointer(rebasing: both[..<total]), sendCounts: counts,
            into: UnsafeMutableBufferPointer(rebasing: both[total...]), receiveCounts: counts)
        }
      },
      { communicator in  // a message's length
        try withFloats(4) { buffer in
          if communicator.rank == 0 { return try communicator.send(UnsafeBufferPointer(buffer), to: 1) }
          try communicator.receive(UnsafeMutableBufferPointer(rebasing: buffer[..<3]), from: 0)
        }
      },
    ]

    @Test("calls that contradict each other are errors on both, which name both", arguments: contradictions.indices)
    func mismatch(index: Int) {
      let found = errors(ranks: 2) { try FailureTests.contradictions[index]($0) }
      #expect(found[0]?.kind == .mismatch)
      #expect(found[1]?.kind == .mismatch)
      #expect(found[0] == found[1])
      let message = found[0]?.message ?? ""
      #expect(message.contains("rank 0 called") && message.contains("rank 1 called"), "\(message)")
    }

    @Test("a rank that does not come is named when patience ends")
    func patience() {
      let found = errors(ranks: 3, patience: Patience(seconds: 0.05)) { communicator in
        // Rank 1 comes to the first and then waits for a message that nobody sends.
        try communicator.barrier()
        if communicator.rank == 1 { return try withFloats(1) { try communicator.receive($0, from: 1) } }
        try communicator.barrier()
      }
      #expect(found[1]?.kind == .timeout)
      // The others time out by themselves, or hear of rank 1's failure first.
      for rank in [0, 2] {
        #expect(found[rank]?.kind == .timeout || found[rank]?.kind == .peerLost)
        #expect(found[rank]?.message.contains("rank 1") == true, "\(String(describing: found[rank]))")
      }
    }

    @Test("a deadline is a positive number of seconds", arguments: ["soon", "0", "-1", "nan", "inf", ""])
    func deadline(text: String) throws {
      #expect(try Patience.parsed("2.5") == Patience(seconds: 2.5))
      #expect(throws: CommunicationError.self) { try Patience.parsed(text) }
    }

    @Test("a body that leaves a request behind has failed")
    func leftBehind() {
      let found = errors(ranks: 1) { communicator in _ = try communicator.startBarrier() }
      #expect(found[0]?.kind == .mismatch)
      #expect(found[0]?.message.contains("without waiting for its barrier") == true)
    }
  }
}

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

    @Test("a rank that stops is named when patience ends, and the job returns 6", arguments: ["window", "messages"])
    func stop(transport: String) throws {
      let run = try MPIRun(ranks: 2, ["stop", "1"], timeout: "0.5", transport: transport)
      #expect(run.status == 6, "\(run.errors)")
      #expect(run.errors.contains("rank 0 waited 0.5 s for rank 1 in barrier"), "\(run.errors)")
    }

    @Test("ranks that call different collectives are named, and the job returns 7", arguments: ["window", "messages"])
    func mismatch(transport: String) throws {
      let run = try MPIRun(ranks: 2, ["mismatch"], transport: transport)
      #expect(run.status == 7, "\(run.errors)")
      #expect(run.errors.contains("ranks disagree"), "\(run.errors)")
      #expect(run.errors.contains("broadcast of") && run.errors.contains("all-reduce (sum) of"), "\(run.errors)")
    }

    @Test("ranks that call with different counts are named, and the job returns 7", arguments: ["window", "messages"])
    func lengths(transport: String) throws {
      let run = try MPIRun(ranks: 2, ["lengths"], transport: transport)
      #expect(run.status == 7, "\(run.errors)")
      #expect(run.errors.contains("ranks disagree"), "\(run.errors)")
    }

    @Test("a transport that does not exist is refused, and the job returns 3")
    func transport() throws {
      let run = try MPIRun(ranks: 1, [], transport: "pigeons")
      #expect(run.status == 3, "\(run.errors)")
      let words = "NNDIST_TRANSPORT is `pigeons`; it takes one of auto, window, messages"
      #expect(run.errors.contains(words), "\(run.errors)")
    }

    @Test("a deadline that is no number is refused, and the job returns 3")
    func deadline() throws {
      let run = try MPIRun(ranks: 1, [], timeout: "soon")
      #expect(run.status == 3, "\(run.errors)")
      #expect(run.errors.contains("NNDIST_TIMEOUT_SECONDS is `soon`"), "\(run.errors)")
    }
  }
}

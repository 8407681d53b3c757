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

    @Test("of many ranks all are named, with their calls")
    func everyone() {
      // Rank 2 calls last, so that the others' calls are known: it hears from both before.
      let found = errors(ranks: 3) { communicator in
        let request = communicator.rank < 2 ? try communicator.startBarrier(label: 7) : nil
        try withFloats(1) { token in
          if communicator.rank < 2 { return try communicator.send(UnsafeBufferPointer(token), to: 2) }
          for other in 0..<2 { try communicator.receive(token, from: other) }
        }
        if let request { return try communicator.wait(request) }
        try communicator.barrier()
      }
      let message =
        "ranks disagree: rank 0 called barrier (bucket 7), rank 1 called barrier (bucket 7), "
        + "rank 2 called barrier"
      for error in found { #expect(error == CommunicationError(.mismatch, message)) }
    }

    @Test("of ranks that disagree, one that has not called is named too")
    func absent() {
      let found = errors(ranks: 3) { communicator in
        if communicator.rank == 2 {  // comes when the others have left
          return try withFloats(1) { try communicator.receive($0, from: 0) }
        }
        try withFloats(2 + communicator.rank) { try communicator.allReduce($0, .sum) }
      }
      let message =
        "ranks disagree: rank 0 called all-reduce (sum) of 2 Float, "
        + "rank 1 called all-reduce (sum) of 3 Float, rank 2 has not called anything yet"
      #expect(found[0]?.message == message)
      #expect(found[1]?.message == message)
      #expect(found[2]?.kind == .peerLost)
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

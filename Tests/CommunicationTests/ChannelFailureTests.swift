import Communication
import Testing

extension CommunicationSuites {
  @Suite("What becomes of a channel whose ends disagree or are lost, as threads")
  struct ChannelFailureTests {
    /// The errors of a sender and of a receiver.
    private func errors(
      patience: Double? = nil, _ send: @Sendable (any Communicator) throws -> Void,
      receive: @Sendable (any Communicator) throws -> Void
    ) -> [CommunicationError?] {
      InProcessCommunicator.run(ranks: 2, patience: patience.map { Patience(seconds: $0) }) { communicator in
        if communicator.rank == 0 { try send(communicator) } else { try receive(communicator) }
      }
      .map { result in
        if case .failure(let error as CommunicationError) = result { return error }
        return nil
      }
    }

    /// Sends so many registers and finishes.
    private func send(_ communicator: any Communicator, registers: Int, count: Int = 2, byteCount: Int = 8) throws {
      let sender = RegisterSender(communicator, to: 1, tag: 3, count: count, byteCount: byteCount)
      for _ in 0..<registers {
        _ = try sender.acquire()
        try sender.send(byteCount: byteCount)
      }
      try sender.finish()
    }

    private func receiver(_ communicator: any Communicator, count: Int = 2) throws -> RegisterReceiver {
      try RegisterReceiver(communicator, from: 0, tag: 3, count: count, byteCount: 8)
    }

    @Test("ends that disagree about how many registers there are")
    func counts() throws {
      let found = errors {
        try send($0, registers: 3)
      } receive: {
        _ = try receiver($0, count: 3).receive()
      }
      #expect(found[1]?.kind == .mismatch)
      let words = "rank 1 got register 0 of 2 from rank 0 with tag 3, not register 0 of 3: both ends of a channel"
      #expect(found[1]?.message.contains(words) == true, "\(String(describing: found[1]))")
      #expect(found[0]?.kind == .peerLost)
      #expect(found[0]?.message.contains(words) == true)
    }

    @Test("ends that disagree about the size of registers")
    func sizes() {
      let found = errors {
        try send($0, registers: 1, byteCount: 9)
      } receive: {
        _ = try receiver($0).receive()
      }
      // Whoever comes second is told first; the other hears the same, or of its end.
      #expect(found.contains { $0?.kind == .mismatch })
      for error in found { #expect(error?.message.contains("73 UInt8") == true, "\(String(describing: error))") }
    }

    @Test("a register out of order")
    func order() {
      let found = errors { communicator in
        let message = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 72)
        message.initialize(repeating: 0)
        message[0] = 5
        message[16] = 2
        defer { message.deallocate() }
        try communicator.send(UnsafeBufferPointer(message), to: 1, tag: 3)
      } receive: { communicator in
        _ = try receiver(communicator).receive()
      }
      #expect(found[1]?.message.contains("got register 5 of 2 from rank 0") == true, "\(String(describing: found[1]))")
    }

    @Test("a sender that fails is lost to its receiver, which has read what came before")
    func lostSender() {
      let found = errors { communicator in
        let sender = RegisterSender(communicator, to: 1, tag: 3, count: 1, byteCount: 8)
        for _ in 0..<2 {
          _ = try sender.acquire()
          try sender.send(byteCount: 8)
        }
        _ = try sender.acquire()
        throw CommunicationError(.library(5), "the disk is full")
      } receive: { communicator in
        let receiver = try receiver(communicator, count: 1)
        for _ in 0..<2 {
          #expect(try receiver.receive() != nil)
          try receiver.release()
        }
        while try !receiver.poll() {}
      }
      #expect(found[1]?.kind == .peerLost)
      #expect(found[1]?.message.contains("the disk is full") == true)
    }

    @Test("a receiver that fails is lost to its sender")
    func lostReceiver() {
      let found = errors {
        try send($0, registers: 9)
      } receive: { communicator in
        let receiver = try receiver(communicator)
        _ = try receiver.receive()
        throw CommunicationError(.library(5), "the disk is full")
      }
      #expect(found[0]?.kind == .peerLost)
      #expect(found[0]?.message.contains("the disk is full") == true)
    }

    @Test("a receiver that releases nothing is named when patience ends")
    func patience() {
      let found = errors(patience: 0.1) {
        try send($0, registers: 9)
      } receive: { communicator in
        let receiver = try receiver(communicator)
        for _ in 0..<2 { _ = try receiver.receive() }
        let token = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1)
        defer { token.deallocate() }
        try communicator.receive(token, from: 0, tag: 9)
      }
      #expect(found.contains { $0?.kind == .timeout })
      for error in found { #expect(error != nil) }
    }
  }
}

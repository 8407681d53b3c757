import Communication
import Dispatch
import Testing

extension CommunicationSuites {
  @Suite("How actors end: early, in order, by a failure, on demand")
  struct ActorEndingTests {
    @Test("a consumer that ends early ends all before it", arguments: [0, 1, 5])
    func early(taken: Int) throws {
      let line = Line(counts: [2, 3], numbers: nil)
      try line.graph.start()
      for number in 0..<taken {
        let register = try #require(try line.outlet.next())
        #expect(register.bytes.load(as: Int.self) == 2 * number)
        if number != 1 { line.outlet.release(register.register) }
      }
      line.outlet.close()
      line.outlet.close()
      try line.graph.wait()  // returns only once the endless source has ended
      #expect(try line.outlet.next() == nil)
    }

    @Test("one of two consumers that ends early leaves the other its registers")
    func earlyOfTwo() throws {
      let graph = ActorGraph<Never>()
      let registers = graph.makeRegisters(count: 2, byteCount: 8)
      addCounter(graph, registers, to: 50)
      let (brief, patient) = (graph.makeOutlet(of: registers), graph.makeOutlet(of: registers))
      try graph.start()
      brief.close()
      #expect(try everything(of: patient) == Array(0..<50))
      graph.wait()
    }

    @Test("an actor that ends in the middle ends both sides")
    func middle() throws {
      let line = Line(counts: [2, 2], numbers: nil, ending: 3)
      try line.graph.start()
      #expect(try line.rest() == [0, 2, 4])
      try line.graph.wait()
    }

    @Test("registers that are held at the end of the stream stay what they are")
    func held() throws {
      let graph = ActorGraph<Never>()
      let registers = graph.makeRegisters(count: 3, byteCount: 8)
      addCounter(graph, registers, to: 2)
      let outlet = graph.makeOutlet(of: registers)
      try graph.start()
      let taken = try [#require(outlet.next()), #require(outlet.next())]
      #expect(outlet.next() == nil)
      #expect(taken.map { $0.bytes.load(as: Int.self) } == [0, 1])
      for register in taken.reversed() { outlet.release(register.register) }
      graph.wait()
    }

    @Test("the first failure ends all actors and reaches every end, after what came before it", arguments: [0, 1, 7])
    func failure(act: Int) throws {
      let graph = ActorGraph<FailedAct>()
      let given = graph.makeRegisters(count: 2, byteCount: 8)
      let (a, b) = (graph.makeRegisters(count: 2, byteCount: 8), graph.makeRegisters(count: 2, byteCount: 8))
      let (left, right) = (graph.makeRegisters(count: 2), graph.makeRegisters(count: 1))
      let inlet = graph.makeInlet(to: given)
      addCounter(graph, a, to: nil)
      graph.addActor(on: graph.makeStream(), reading: [a, given], writing: [b]) { turn throws(FailedAct) in
        if turn.number == act { throw FailedAct(act: act) }
        return .produced
      }
      graph.addActor(on: graph.makeStream(), reading: [b], writing: [left, right]) { _ in .produced }
      let (first, second) = (graph.makeOutlet(of: left), graph.makeOutlet(of: right))
      try graph.start()
      for _ in 0..<act {
        #expect(try inlet.acquire() != nil)
        inlet.send()
        for outlet in [first, second] { outlet.release(try #require(try outlet.next()).register) }
      }
      #expect(try inlet.acquire() != nil)
      inlet.send()
      #expect(throws: FailedAct(act: act)) { try first.next() }
      #expect(throws: FailedAct(act: act)) { try second.next() }
      #expect(throws: FailedAct(act: act)) { try inlet.acquire() }
      #expect(throws: FailedAct(act: act)) { try graph.wait() }
      graph.stop()
      #expect(throws: FailedAct(act: act)) { try first.next() }
    }

    @Test("a source that fails is heard after its registers")
    func lateFailure() throws {
      let graph = ActorGraph<FailedAct>()
      let registers = graph.makeRegisters(count: 3, byteCount: 8)
      let failed = DispatchSemaphore(value: 0)
      graph.addActor(on: graph.makeStream(), writing: [registers]) { turn throws(FailedAct) in
        if turn.number == 2 {
          failed.signal()
          throw FailedAct(act: 2)
        }
        turn.output().storeBytes(of: turn.number, as: Int.self)
        return .produced
      }
      let outlet = graph.makeOutlet(of: registers)
      try graph.start()
      failed.wait()
      for number in 0..<2 { #expect(try outlet.next()?.bytes.load(as: Int.self) == number) }
      #expect(throws: FailedAct(act: 2)) { try outlet.next() }
    }

    @Test("a graph can be stopped at any moment, and leaves nothing behind", arguments: 0..<25)
    func stop(taken: Int) throws {
      var witness = Witness()
      try stopped(taken, witness)
      #expect(isKnownUniquelyReferenced(&witness))
    }

    /// Runs a graph whose bodies hold the witness; every third dies without being stopped.
    private func stopped(_ taken: Int, _ witness: Witness) throws {
      let line = Line(counts: [1 + taken % 3, 2], numbers: taken % 2 == 0 ? nil : 12, together: taken % 5 == 0) {
        withExtendedLifetime(witness) {}
      }
      try line.graph.start()
      for _ in 0..<taken {
        guard let register = try line.outlet.next() else { break }
        line.outlet.release(register.register)
      }
      if taken % 3 == 0 { return }
      line.graph.stop()
      line.graph.stop()
      #expect(try line.outlet.next() == nil)
    }

    @Test("an inlet that nobody reads gives no register")
    func unread() throws {
      let graph = ActorGraph<Never>()
      let registers = graph.makeRegisters(count: 1, byteCount: 8)
      let inlet = graph.makeInlet(to: registers)
      graph.addActor(on: graph.makeStream(), reading: [registers]) { turn in turn.number == 2 ? .ended : .produced }
      try graph.start()
      var put = 0
      while inlet.acquire() != nil {
        inlet.send()
        put += 1
      }
      #expect(put == 3)
      inlet.close()
      graph.wait()
    }
  }
}

/// Something that bodies hold on to.
private final class Witness: Sendable {}

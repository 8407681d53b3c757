import Communication
import Dispatch
import Glibc
import Synchronization
import Testing

extension CommunicationSuites {
  @Suite("Actors that hand registers to each other")
  struct ActorTests {
    @Test(
      "every register arrives in order, on one stream or several", arguments: [1, 2, 5], [false, true])
    func order(count: Int, together: Bool) throws {
      let line = Line(counts: [count, count], numbers: 5_000, together: together)
      try line.graph.start()
      #expect(try line.rest() == (0..<5_000).map { 2 * $0 })
      #expect(try line.outlet.next() == nil)
      try line.graph.wait()
    }

    @Test("of a thread's actors only one acts at a time, all on that thread")
    func oneThread() throws {
      let threads = Mutex<Set<UInt>>([])
      let line = Line(counts: [2, 3], numbers: 100, together: true) {
        threads.withLock { _ = $0.insert(pthread_self()) }
      }
      try line.graph.start()
      #expect(try line.rest().count == 100)
      try line.graph.wait()
      #expect(threads.withLock { $0.count } == 1)
    }

    @Test("a slow consumer bounds what is made", arguments: [(1, 1), (2, 1), (1, 3), (4, 4)])
    func backPressure(counts: (Int, Int)) throws {
      let bound = counts.0 + counts.1
      let made = Atomic<Int>(0)
      let full = DispatchSemaphore(value: 0)
      let graph = ActorGraph<Never>()
      let (a, b) = (graph.makeRegisters(count: counts.0), graph.makeRegisters(count: counts.1))
      graph.addActor(on: graph.makeStream(), writing: [a]) { _ in
        if made.add(1, ordering: .sequentiallyConsistent).newValue >= bound { full.signal() }
        return .produced
      }
      graph.addActor(on: graph.makeStream(), reading: [a], writing: [b]) { _ in .produced }
      let outlet = graph.makeOutlet(of: b)
      try graph.start()
      // One more is made for each that is given back, and never one beyond.
      for released in 0..<200 {
        full.wait()
        let now = made.load(ordering: .sequentiallyConsistent)
        #expect(now == bound + released)
        let taken = try #require(outlet.next())
        #expect(made.load(ordering: .sequentiallyConsistent) == bound + released)
        outlet.release(taken.register)
      }
      graph.stop()
    }

    @Test("every consumer reads every register, and the slowest decides", arguments: [1, 3])
    func fanOut(count: Int) throws {
      let made = Atomic<Int>(0)
      let graph = ActorGraph<Never>()
      let registers = graph.makeRegisters(count: count, byteCount: 8)
      addCounter(graph, registers, to: 300) { made.add(1, ordering: .sequentiallyConsistent) }
      let copies = (0..<2).map { _ in graph.makeRegisters(count: count, byteCount: 8) }
      for copy in copies {
        graph.addActor(on: graph.makeStream(), reading: [registers], writing: [copy]) { turn in
          turn.output().copyMemory(from: turn.input())
          return .produced
        }
      }
      let outlets = [registers, copies[0], copies[1]].map { graph.makeOutlet(of: $0) }
      try graph.start()
      for number in 0..<300 {
        // The first outlet reads the source's own registers: nothing is made that it has not room for.
        #expect(made.load(ordering: .sequentiallyConsistent) <= number + count)
        for outlet in outlets.reversed() {
          let taken = try #require(outlet.next())
          #expect(taken.bytes.load(as: Int.self) == number)
          outlet.release(taken.register)
        }
      }
      for outlet in outlets { #expect(outlet.next() == nil) }
      graph.wait()
    }

    @Test("an actor of two inputs ends with the shorter, and so does the source of the longer", arguments: [0, 1, 10])
    func fanIn(shorter: Int) throws {
      let graph = ActorGraph<Never>()
      let (a, b) = (graph.makeRegisters(count: 2, byteCount: 8), graph.makeRegisters(count: 3, byteCount: 8))
      let sums = graph.makeRegisters(count: 1, byteCount: 8)
      addCounter(graph, a, to: shorter)
      addCounter(graph, b, to: nil)
      graph.addActor(on: graph.makeStream(), reading: [a, b], writing: [sums]) { turn in
        turn.output().storeBytes(of: turn.input(0).load(as: Int.self) + turn.input(1).load(as: Int.self), as: Int.self)
        return .produced
      }
      let outlet = graph.makeOutlet(of: sums)
      try graph.start()
      #expect(try rest(outlet) == (0..<shorter).map { 2 * $0 })
      graph.wait()
    }

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
      #expect(try rest(patient) == Array(0..<50))
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
      let graph = ActorGraph<Mishap>()
      let given = graph.makeRegisters(count: 2, byteCount: 8)
      let (a, b) = (graph.makeRegisters(count: 2, byteCount: 8), graph.makeRegisters(count: 2, byteCount: 8))
      let (left, right) = (graph.makeRegisters(count: 2), graph.makeRegisters(count: 1))
      let inlet = graph.makeInlet(to: given)
      addCounter(graph, a, to: nil)
      graph.addActor(on: graph.makeStream(), reading: [a, given], writing: [b]) { turn throws(Mishap) in
        if turn.number == act { throw Mishap(act: act) }
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
      #expect(throws: Mishap(act: act)) { try first.next() }
      #expect(throws: Mishap(act: act)) { try second.next() }
      #expect(throws: Mishap(act: act)) { try inlet.acquire() }
      #expect(throws: Mishap(act: act)) { try graph.wait() }
      graph.stop()
      #expect(throws: Mishap(act: act)) { try first.next() }
    }

    @Test("a source that fails is heard after its registers")
    func lateFailure() throws {
      let graph = ActorGraph<Mishap>()
      let registers = graph.makeRegisters(count: 3, byteCount: 8)
      let failed = DispatchSemaphore(value: 0)
      graph.addActor(on: graph.makeStream(), writing: [registers]) { turn throws(Mishap) in
        if turn.number == 2 {
          failed.signal()
          throw Mishap(act: 2)
        }
        turn.output().storeBytes(of: turn.number, as: Int.self)
        return .produced
      }
      let outlet = graph.makeOutlet(of: registers)
      try graph.start()
      failed.wait()
      for number in 0..<2 { #expect(try outlet.next()?.bytes.load(as: Int.self) == number) }
      #expect(throws: Mishap(act: 2)) { try outlet.next() }
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

    @Test("what the caller puts in comes out, over thousands of messages", arguments: [1, 2, 7])
    func throughEnds(count: Int) throws {
      let graph = ActorGraph<Never>()
      let (a, b) = (graph.makeRegisters(count: count, byteCount: 16), graph.makeRegisters(count: count, byteCount: 16))
      let inlet = graph.makeInlet(to: a)
      graph.addActor(on: graph.makeStream(), reading: [a], writing: [b]) { turn in
        turn.output().copyMemory(from: turn.input())
        turn.fill(byteCount: turn.input().count)
        return .produced
      }
      let outlet = graph.makeOutlet(of: b)
      try graph.start()
      for number in 0..<20_000 {
        try #require(inlet.acquire()).storeBytes(of: number, as: Int.self)
        inlet.send(byteCount: number % 2 == 0 ? 8 : 16)
        let taken = try #require(outlet.next())
        #expect(taken.bytes.load(as: Int.self) == number)
        #expect(taken.bytes.count == (number % 2 == 0 ? 8 : 16))
        outlet.release(taken.register)
      }
      inlet.close()
      inlet.close()
      #expect(outlet.next() == nil)
      graph.wait()
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

    @Test("where actors run changes nothing of what they compute", arguments: 0..<20)
    func placement(seed: Int) throws {
      // Six layers of three actors, each of which reads two registers of the layer before.
      var random = Lehmer(state: UInt64(seed + 1))
      let graph = ActorGraph<Never>()
      let streams = (0..<(1 + seed % 5)).map { _ in graph.makeStream() }
      let inlet = graph.makeRegisters(count: 2, byteCount: 8)
      addCounter(graph, inlet, to: 200)
      var layer = [inlet, inlet, inlet]
      var expected = [Array(0..<200), Array(0..<200), Array(0..<200)]
      for _ in 0..<6 {
        let sources = (0..<3).map { place in (place, random.next(3)) }
        let outputs = sources.map { _ in graph.makeRegisters(count: 1 + random.next(3), byteCount: 8) }
        for (output, source) in zip(outputs, sources) {
          let stream = streams[random.next(streams.count)]
          graph.addActor(on: stream, reading: [layer[source.0], layer[source.1]], writing: [output]) { turn in
            let (x, y) = (turn.input(0).load(as: Int.self), turn.input(1).load(as: Int.self))
            turn.output().storeBytes(of: x &* 3 &+ y, as: Int.self)
            return .produced
          }
        }
        expected = sources.map { source in zip(expected[source.0], expected[source.1]).map { $0 &* 3 &+ $1 } }
        layer = outputs
      }
      let outlets = layer.map { graph.makeOutlet(of: $0) }
      try graph.start()
      for number in 0..<200 {
        for (outlet, values) in zip(outlets, expected) {
          let taken = try #require(outlet.next())
          #expect(taken.bytes.load(as: Int.self) == values[number])
          outlet.release(taken.register)
        }
      }
      for outlet in outlets { #expect(outlet.next() == nil) }
      graph.wait()
    }
  }
}

/// What an actor of a test throws.
private struct Mishap: Error, Equatable {
  let act: Int
}

/// Something that bodies hold on to.
private final class Witness: Sendable {}

private struct Lehmer {
  var state: UInt64

  mutating func next(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }
}

/// A source of 0, 1, 2 …, up to a number or without end, on a stream of its own.
private func addCounter<Failure>(
  _ graph: ActorGraph<Failure>, _ registers: RegisterDescriptor, to end: Int?, made: @escaping @Sendable () -> Void = {}
) {
  graph.addActor(on: graph.makeStream(), writing: [registers]) { turn in
    if turn.number == end { return .ended }
    turn.output().storeBytes(of: turn.number, as: Int.self)
    made()
    return .produced
  }
}

/// Everything that still comes out.
private func rest<Failure>(_ outlet: Outlet<Failure>) throws -> [Int] {
  var values: [Int] = []
  while let taken = try outlet.next() {
    values.append(taken.bytes.load(as: Int.self))
    outlet.release(taken.register)
  }
  return values
}

/// A source, an actor that doubles, and an outlet.
private struct Line {
  let graph = ActorGraph<Mishap>()
  let outlet: Outlet<Mishap>

  init(
    counts: [Int], numbers: Int?, together: Bool = false, ending: Int? = nil,
    acting: @escaping @Sendable () -> Void = {}
  ) {
    let (a, b) = (
      graph.makeRegisters(count: counts[0], byteCount: 8), graph.makeRegisters(count: counts[1], byteCount: 8)
    )
    let stream = graph.makeStream()
    graph.addActor(on: stream, writing: [a]) { turn in
      acting()
      if turn.number == numbers { return .ended }
      turn.output().storeBytes(of: turn.number, as: Int.self)
      return .produced
    }
    graph.addActor(on: together ? stream : graph.makeStream(), reading: [a], writing: [b]) { turn in
      acting()
      if turn.number == ending { return .ended }
      turn.output().storeBytes(of: 2 * turn.input().load(as: Int.self), as: Int.self)
      return .produced
    }
    outlet = graph.makeOutlet(of: b)
  }

  func rest() throws -> [Int] { try CommunicationTests.rest(outlet) }
}

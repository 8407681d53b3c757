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
      #expect(try everything(of: outlet) == (0..<shorter).map { 2 * $0 })
      graph.wait()
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

private struct Lehmer {
  var state: UInt64

  mutating func next(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }
}

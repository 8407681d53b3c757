import Communication

/// What an actor of a test throws.
struct FailedAct: Error, Equatable {
  let act: Int
}

/// A source of 0, 1, 2 …, up to a number or without end, on a stream of its own.
func addCounter<Failure>(
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
func everything<Failure>(of outlet: Outlet<Failure>) throws -> [Int] {
  var values: [Int] = []
  while let taken = try outlet.next() {
    values.append(taken.bytes.load(as: Int.self))
    outlet.release(taken.register)
  }
  return values
}

/// A source, an actor that doubles, and an outlet.
struct Line {
  let graph = ActorGraph<FailedAct>()
  let outlet: Outlet<FailedAct>

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

  func rest() throws -> [Int] { try everything(of: outlet) }
}

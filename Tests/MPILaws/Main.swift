import Communication
import CommunicationLaws
import Glibc
import MPICommunication

/// Checks the laws under mpirun, and shows what becomes of ranks that fail.
///
/// Without arguments all laws are checked on every transport, whole and with messages cut into small pieces. `leave R`: rank
/// R ends without a word. `kill R`: rank R is killed while the others wait. `stop R`: rank R never calls again. `kill-tree R`,
/// `stop-tree R`: the same in a tree-reduce. `stop-stage R`: rank R neither fills nor releases registers any more.
/// `contradict WHAT`: the last rank calls something else. `long`: a buffer beyond the counts of C. `traffic`: calls of every
/// kind; each rank prints what it gave to the wire. `time`: prints the medians of some exchanges, `time-tickets` what a ticket costs. `hosts N` before any of
/// these: so many ranks in a row pretend to be on a host of their own.
@main
struct Main {
  static func main() {
    do {
      var arguments = Array(CommandLine.arguments.dropFirst())
      var ranksPerHost: Int?
      if arguments.first == "hosts" {
        ranksPerHost = Int(arguments[1])
        arguments.removeFirst(2)
      }
      let environment = try MPIEnvironment(ranksPerHost: ranksPerHost)
      try run(environment.world, environment.messages, arguments)
      try environment.finalise()
    } catch {
      let line = Array("error: \(error)\n".utf8)
      write(STDERR_FILENO, line, line.count)
      MPIEnvironment.abort(code: exitCode(error))
    }
  }

  private static func exitCode(_ error: any Error) -> Int {
    guard let error = error as? CommunicationError else { return 1 }
    switch error.kind {
    case .peerLost, .timeout: return 6
    case .mismatch: return 7
    case .setting: return 3
    case .library: return 1
    }
  }

  private static func run(_ world: any Communicator, _ messages: MPICommunicator, _ arguments: [String]) throws {
    switch arguments.first {
    case "leave":
      if world.rank == Int(arguments[1]) { exit(0) }
      try world.barrier()
    case "kill":
      // The launcher asks the others to end too: they stay to say what they saw.
      signal(SIGTERM, SIG_IGN)
      let memory = try world.allocate(byteCount: 4 << 20)
      let buffer = UnsafeMutableBufferPointer(
        start: memory.base.bindMemory(to: Float.self, capacity: 1 << 20), count: 1 << 20)
      for _ in 0..<3 { try world.allReduce(buffer, .sum) }
      if world.rank == Int(arguments[1]) { kill(getpid(), SIGKILL) }
      try world.allReduce(buffer, .sum)
      withExtendedLifetime(memory) {}
    case "stop":
      if world.rank == Int(arguments[1]) { while true { pause() } }
      try world.barrier()
    case "kill-tree", "stop-tree":
      signal(SIGTERM, SIG_IGN)
      let block = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: 1)
      block.initialize(repeating: .allocate(capacity: 1_024))
      block[0].initialize(repeating: 1, count: 1_024)
      let ranks = world.size
      let tree = ReductionTree(blocks: Array(repeating: 1, count: ranks), additions: (1..<ranks).map { (0, $0) })
      try world.treeReduce(UnsafeBufferPointer(block), count: 1_024, tree: tree)
      if world.rank == Int(arguments[1]) {
        if arguments[0] == "kill-tree" { kill(getpid(), SIGKILL) }
        while true { pause() }
      }
      try world.treeReduce(UnsafeBufferPointer(block), count: 1_024, tree: tree)
    case "stop-stage":
      let (next, last) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
      let sender = RegisterSender(world, to: next, tag: 0, count: 2, byteCount: 100_000)
      let receiver = try RegisterReceiver(world, from: last, tag: 0, count: 2, byteCount: 100_000)
      for number in 0..<9 {
        if number == 5, world.rank == Int(arguments[1]) { while true { pause() } }
        _ = try sender.acquire()
        try sender.send(byteCount: 100_000)
        _ = try receiver.receive()
        try receiver.release()
      }
    case "contradict": try contradict(world, arguments[1])
    case "long": try checkLong(world)
    case "traffic": try makeTraffic(messages)
    case "time": try time(world)
    case "time-tickets": try timeTickets(world)
    default:
      try Law.checkAll(world)
      if let window = world as? WindowCommunicator {
        window.preferMessages()
        try Law.checkAll(window)
      }
      messages.limitMessages(toBytes: 4_001)
      if world is HierarchicalCommunicator {
        try Law.checkAll(world)
        if world.rank == 0 { print("hosts reduce on their own") }
      } else {
        try Law.checkAll(messages)
      }
      try world.barrier()
      if world.rank == 0 { print("laws hold on \(world.size) ranks") }
    }
  }

  /// One call of every kind, a group, and what the wire carried.
  private static func makeTraffic(_ world: any Communicator) throws {
    try Law.checkAll(world)
    let half = try world.split(color: world.rank % 2, key: 0)
    try Law.checkAll(half)
    try world.barrier()
    print("rank \(world.rank) gave \(world.wireBytes) bytes")
  }

  /// Broadcasts 2³¹ + 5 bytes: takes that much memory on every rank.
  private static func checkLong(_ world: any Communicator) throws {
    let count = (1 << 31) + 5
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
    defer { buffer.deallocate() }
    buffer.initialize(repeating: world.rank == 0 ? 7 : 1)
    if world.rank == 0 { buffer[count - 1] = 9 }
    try world.broadcast(buffer, root: 0)
    let sevens = buffer[..<(count - 1)].allSatisfy { $0 == 7 }
    guard sevens && buffer[count - 1] == 9 else {
      throw CommunicationError(.library(0), "rank \(world.rank): wrong bytes in a broadcast of \(count)")
    }
    if world.rank == 0 { print("\(count) bytes arrived") }
  }
}

import Communication
import Dispatch
import Foundation
import MPICommunication
import Reporting
import Training

/// `nndist bench allreduce`: times the sum over all ranks of 4 B to 64 MiB, on mpirun's ranks or on threads.
struct BenchAllReduce {
  private let arguments: Arguments
  private let type: ElementType

  private static let largest = 64 << 20
  private static let repetitions = 21
  /// Calls below this size are timed many in a row.
  private static let smallBytes = 65_536

  init(_ arguments: Arguments) throws(RunError) {
    self.arguments = arguments
    let name = arguments.value(Bench.type) ?? "float"
    guard let found = ElementType.allCases.first(where: { $0.name.lowercased() == name }) else {
      let names = ElementType.allCases.map { $0.name.lowercased() }.joined(separator: ", ")
      throw RunError(.usage, "--type is `\(name)`; expected one of \(names)")
    }
    type = found
  }

  func run() throws(RunError) -> ExitCode {
    var setting: TransportSetting?
    if let text = arguments.value(Bench.transport) {
      setting = TransportSetting(rawValue: text)
      if setting == nil {
        let names = TransportSetting.allCases.map(\.rawValue).joined(separator: ", ")
        throw RunError(.usage, "--transport is `\(text)`; expected one of \(names)")
      }
    }
    if let launcher = LauncherEnvironment.detect(), launcher.size != 1 {
      if arguments.has(Bench.ranks) { throw RunError(.usage, "--ranks has no meaning under mpirun: -n says it") }
      return try Train.withMPI(transport: setting) { (communicator) throws(RunError) in
        let window = communicator as? WindowCommunicator
        try report(communicator) { window?.transport(bytes: $0) ?? TransportSetting.messages.rawValue }
      }
    }
    if setting != nil { throw RunError(.usage, "--transport has a meaning under mpirun only") }
    let ranks = try arguments.integer(Bench.ranks, in: 1...4096) ?? 2
    for outcome in InProcessCommunicator.run(ranks: ranks, { try report($0) { _ in "threads" } }) {
      if case .failure(let error) = outcome { throw RunError(error) }
    }
    return .done
  }

  /// Measures all sizes; rank 0 says what it found.
  private func report(_ communicator: any Communicator, _ transport: (Int) -> String) throws(RunError) {
    var table = TextTable(["bytes", "transport", "median µs", "minimum µs", "GB/s"], leading: [1])
    do {
      let memory = try communicator.allocate(byteCount: BenchAllReduce.largest)
      var bytes = 4
      while bytes <= BenchAllReduce.largest {
        let times = try measure(memory, bytes: bytes, communicator)
        if communicator.rank == 0, arguments.has(.json) {
          let result: JSONObject = [
            "name": "allreduce", "bytes": .integer(bytes), "type": .text(type.name),
            "ranks": .integer(communicator.size), "transport": .text(transport(bytes)),
            "median_seconds": .number(times.median), "minimum_seconds": .number(times.minimum),
          ]
          Output.line(result.text)
        }
        let microseconds = [times.median, times.minimum].map { String(format: "%.2f", $0 * 1e6) }
        let rate = String(format: "%.2f", Double(bytes) / times.median * 1e-9)
        table.add(["\(bytes)", transport(bytes)] + microseconds + [rate])
        bytes *= 4
      }
      withExtendedLifetime(memory) {}
    } catch { throw RunError(error) }
    if communicator.rank == 0, !arguments.has(.json) { Output.text(Terminal.headed(table.text)) }
  }

  /// Seconds that this rank needs for a call.
  private func measure(
    _ memory: CommunicatorMemory, bytes: Int, _ communicator: any Communicator
  ) throws(CommunicationError) -> LoopTimes {
    switch type {
    case .float: try measure(Float.self, memory, bytes, communicator)
    case .double: try measure(Double.self, memory, bytes, communicator)
    case .bfloat16: try measure(BFloat16.self, memory, bytes, communicator)
    case .int8: try measure(Int8.self, memory, bytes, communicator)
    case .int16: try measure(Int16.self, memory, bytes, communicator)
    case .int32: try measure(Int32.self, memory, bytes, communicator)
    case .int64: try measure(Int64.self, memory, bytes, communicator)
    case .uint8: try measure(UInt8.self, memory, bytes, communicator)
    }
  }

  private func measure<T: Communicable>(
    _: T.Type, _ memory: CommunicatorMemory, _ bytes: Int, _ communicator: any Communicator
  ) throws(CommunicationError) -> LoopTimes {
    let count = max(1, bytes / type.stride)
    let buffer = UnsafeMutableBufferPointer(start: memory.base.bindMemory(to: T.self, capacity: count), count: count)
    memory.base.initializeMemory(as: UInt8.self, repeating: 0, count: count * type.stride)
    func seconds(_ loops: Int) throws(CommunicationError) -> Double {
      try communicator.barrier()
      let start = DispatchTime.now().uptimeNanoseconds
      for _ in 0..<loops { try communicator.allReduce(buffer, .sum) }
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 / Double(loops)
    }
    var loops = 1
    if bytes < BenchAllReduce.smallBytes {
      // Fewer in a row where ranks share cores and a call takes long: as many on every rank.
      let once = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
      defer { once.deallocate() }
      once[0] = max(1, Int64(try seconds(10) * 1e9))
      try communicator.allReduce(once, .maximum)
      loops = max(1, min(1_000, Int(20_000_000 / once[0])))
    }
    var times: [Double] = []
    for _ in 0..<BenchAllReduce.repetitions { times.append(try seconds(loops)) }
    return LoopTimes(times)
  }
}

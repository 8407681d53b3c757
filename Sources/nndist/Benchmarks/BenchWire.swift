import Communication
import Configuration
import Datasets
import Federated
import FederatedNetwork
import Foundation
import Glibc
import Reporting
import Tensors
import Training

/// `nndist bench wire`: a federation of clients that do not train, over encrypted connections on loopback, and the bare
/// transfer of as many bytes by as many connections.
///
/// The server is this process, the clients are threads of another one.  Everything of a round counts, checkpoint and ledger
/// included; the first round, in which clients connect and learn the task, does not.
final class BenchWire {
  static let clients = Flag("--clients", "N", "wire: clients, all in every round (default 200)")
  static let parameters = Flag("--parameters", "N", "wire: parameters of the model, about (default 1000000)")
  static let rounds = Flag("--rounds", "N", "wire: rounds (default 5)")
  /// What the other process is started with.
  static let crowd = Flag("--crowd", "FILE", "wire: be the clients that a file describes; for bench wire's own use")

  private let arguments: Arguments
  private let clients: Int
  private let rounds: Int
  /// Inputs of one linear layer with as many outputs.
  private let width: Int
  private var memory = (first: 0, last: 0)
  /// Called after every round.
  private var mark: () -> Void = {}
  private var parameters: Int { width * width + width }

  init(_ arguments: Arguments) throws(RunError) {
    self.arguments = arguments
    clients = try arguments.integer(BenchWire.clients, in: 1...1000) ?? 200
    rounds = try arguments.integer(BenchWire.rounds, in: 1...1_000_000) ?? 5
    let wanted = try arguments.integer(BenchWire.parameters, in: 12...100_000_000) ?? 1_000_000
    width = max(3, Int(Double(wanted).squareRoot()))
  }

  func run() throws(RunError) -> ExitCode {
    if let file = arguments.value(BenchWire.crowd) { return try attend(file) }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bench-wire-\(getpid())").path
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let server = KeyPair.random()
      let keys = (0..<clients).map { _ in KeyPair.random() }
      let admitted = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1.publicKey, $0) })
      let text = ([server.publicKey] + keys.map(\.secretKey)).map(KeyPair.text).joined(separator: "\n")
      let bytes = 4 * parameters
      let bare = try measured(folder, text, "bare \(bytes) \(bytes)") { began in
        try BareTransfer.serve(
          "tcp://127.0.0.1:0", server, clients: admitted, bytesDown: bytes, bytesUp: bytes, rounds: rounds + 1,
          began: began, ended: { self.mark() })
      }
      let federated = try measured(folder, text, "federation \(parameters)") { began in
        try serve(server, admitted, folder, began)
      }
      report(bare, federated)
      return .done
    } catch { throw RunError(error) }
  }

  // MARK: The clients' process

  private func attend(_ file: String) throws(RunError) -> ExitCode {
    guard
      let lines = FileManager.default.contents(atPath: file).map({ String(decoding: $0, as: UTF8.self) })?
        .split(separator: "\n").map(String.init), lines.count > 3
    else { throw RunError(.usage, "--crowd is for bench wire's own use") }
    let words = lines[1].split(separator: " ").map(String.init)
    let keys = lines[2...].compactMap(KeyPair.key)
    let numbers = words.dropFirst().compactMap { Int($0) }
    guard let server = keys.first, keys.count == lines.count - 2 else {
      throw RunError(.usage, "--crowd is for bench wire's own use")
    }
    let part: ClientCrowd.Part =
      words[0] == "bare" && numbers.count == 2
      ? .bare(bytesDown: numbers[0], bytesUp: numbers[1]) : .federation(parameters: numbers.first ?? 0)
    do {
      try ClientCrowd.run(part, lines[0], keys: keys.dropFirst().map { KeyPair(secretKey: $0) }, server: server)
    } catch { throw RunError(error) }
    return .done
  }

  // MARK: The server's process

  /// What a number of rounds came to.
  private struct Measurement {
    /// Of each round.
    var seconds: [Double]
    /// Processor seconds of both processes, a round.
    var processorSeconds: Double
    /// What the loopback interface has carried, a round.
    var wireBytes: Double
    /// Memory of this process after the first round and at the end.
    var memory: (first: Int, last: Int)

    var median: Double { seconds.sorted()[seconds.count / 2] }
  }

  /// Runs a server with the clients of another process.
  private func measured(
    _ folder: String, _ keys: String, _ part: String, _ serve: ((String) -> Void) throws -> [Double]
  ) throws -> Measurement {
    let other = Process()
    other.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let file = "\(folder)/crowd"
    other.arguments = ["bench", "wire", "--crowd", file]
    memory = (0, 0)
    var marks: [(processor: Double, bytes: Int)] = []
    mark = { [self] in marks.append((processorSeconds(of: [getpid(), other.processIdentifier]), loopbackBytes())) }
    var started: (any Error)?
    let seconds = try serve { address in
      do {
        try "\(address)\n\(part)\n\(keys)\n".write(toFile: file, atomically: true, encoding: .utf8)
        try other.run()
      } catch { started = error }
    }
    if let started { throw started }
    other.waitUntilExit()
    guard let first = marks.first, let last = marks.last, marks.count == seconds.count else {
      throw RunError(.internalError, "\(marks.count) marks for \(seconds.count) rounds")
    }
    let count = Double(marks.count - 1)
    return Measurement(
      seconds: Array(seconds.dropFirst()), processorSeconds: (last.processor - first.processor) / count,
      wireBytes: Double(last.bytes - first.bytes) / count, memory: memory)
  }

  private func serve(
    _ keys: KeyPair, _ admitted: [[UInt8]: Int], _ folder: String, _ began: (String) -> Void
  ) throws -> [Double] {
    let configuration = """
      name: wire
      seed: 1
      model: [{linear: \(width)}]
      data: mnist
      federated:
        {clients: \(clients), rounds: \(rounds + 1), evaluate: 1000000000, digest: never,
        partition: {name: resample, samples: 1}}
      optimizer: {name: sgd, learning-rate: 0.1}
      """
    let experiment = try FederatedExperiment(try Node.parse(configuration, file: "bench wire"))
    let source = RandomSource([width], .float32, targets: [], .classes(width), count: 2)
    let prepared = try PreparedFederation(experiment, dataset: source.resident(name: "random")).served(fixedNoise: true)
    let server = try FederatedServer(
      FederationDescription(
        task: prepared.resolved.yaml(), clients: clients, wanted: nil, network: prepared.experiment.federated.network),
      ServerOptions(
        address: "tcp://127.0.0.1:0", keys: (keys, admitted), program: "bench", stop: -1, log: { _ in }))
    let loop = try FederatedLoop(prepared, InProcessCommunicator.alone(), remote: server)
    server.engine = loop.engine
    let directory = try RunDirectory(name: "wire", path: "\(folder)/run", resume: false)
    try loop.keepCheckpoints(in: directory, resume: false)
    let clock = RoundClock { [self] bytes in
      memory = (memory.first == 0 ? bytes : memory.first, bytes)
      mark()
    }
    loop.observers = [clock]
    began(server.address)
    _ = try loop.run()
    try server.finish(rounds: rounds + 1, digest: loop.digest())
    return clock.seconds
  }

  private func report(_ bare: Measurement, _ federated: Measurement) {
    let payload = 2 * 4 * parameters * clients
    let ratio = federated.median / bare.median
    let work = federated.processorSeconds / bare.processorSeconds
    if arguments.has(.json) {
      for (name, measurement) in [("wire-bare", bare), ("wire", federated)] {
        let result: JSONObject = [
          "name": .text(name), "clients": .integer(clients), "parameters": .integer(parameters),
          "rounds": .integer(rounds),
          "median_seconds": .number(measurement.median), "minimum_seconds": .number(measurement.seconds.min() ?? 0),
          "processor_seconds": .number(measurement.processorSeconds), "payload_bytes": .integer(payload),
          "wire_bytes": .number(measurement.wireBytes), "memory_bytes_first": .integer(measurement.memory.first),
          "memory_bytes_last": .integer(measurement.memory.last),
        ]
        Output.line(result.text)
      }
      return
    }
    func line(_ name: String, _ measurement: Measurement) {
      Output.result(
        name,
        String(
          format: "median %.3f s, least %.3f s, %.2f processor seconds; %.1f MB of payload, %.1f MB on the wire",
          measurement.median, measurement.seconds.min() ?? 0, measurement.processorSeconds, Double(payload) / 1e6,
          measurement.wireBytes / 1e6))
    }
    Output.line(
      "\(Numerals.grouped(clients)) clients, \(Numerals.grouped(parameters)) parameters, \(Numerals.plural(rounds, "round"))"
    )
    line("bare", bare)
    line("federation", federated)
    Output.result("ratio", String(format: "%.2f of time, %.2f of work", ratio, work))
    Output.result(
      "server",
      "\(Numerals.bytes(federated.memory.first)) after the first round, \(Numerals.bytes(federated.memory.last)) at the end"
    )
  }

  /// Processor seconds of some processes.
  private func processorSeconds(of processes: [pid_t]) -> Double {
    processes.reduce(0) { sum, process in
      let text =
        FileManager.default.contents(atPath: "/proc/\(process)/stat").map { String(decoding: $0, as: UTF8.self) } ?? ""
      guard let end = text.lastIndex(of: ")") else { return sum }
      let fields = text[text.index(after: end)...].split(separator: " ")
      let ticks = fields.count > 12 ? (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0) : 0
      return sum + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
  }

  /// Bytes that the loopback interface has received.
  private func loopbackBytes() -> Int {
    let text = FileManager.default.contents(atPath: "/proc/net/dev").map { String(decoding: $0, as: UTF8.self) } ?? ""
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
      if words.first == "lo", words.count > 1 { return Int(words[1]) ?? 0 }
    }
    return 0
  }
}

/// The times at which rounds end.
private final class RoundClock: TrainingObserver {
  private(set) var seconds: [Double] = []
  private var last = Date()
  private let memory: (Int) -> Void

  init(memory: @escaping (Int) -> Void) { self.memory = memory }

  func began(_ start: FederationStart) { last = Date() }

  func roundEnded(_ report: RoundReport) {
    let now = Date()
    seconds.append(now.timeIntervalSince(last))
    last = now
    memory(ProcessMemory.current)
  }
}

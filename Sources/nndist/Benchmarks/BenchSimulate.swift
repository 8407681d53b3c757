import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Reporting
import Tensors
import Training

/// `nndist bench simulate`: times the rounds of a federation on one process, on threads that are ranks, or under mpirun.
struct BenchSimulate {
  static let task = Flag("--task", "NAME", "simulate: logistic (default) or cifar10")

  private let arguments: Arguments
  private let seconds: Double

  /// The standard tasks: those that other simulators are timed with, on random numbers in memory.
  private static let tasks: [(name: String, data: String, shape: Shape, samples: Int, configuration: String)] = [
    (
      "logistic", "mnist", [28, 28, 1], 60_000,
      """
      model: {name: mlp, widths: []}
      federated: {clients: 1000, cohort: 10, rounds: 1000000000, batch: 10}
      optimizer: {name: sgd, learning-rate: 0.03}
      """
    ),
    (
      "cifar10", "cifar10", [32, 32, 3], 10_000,
      """
      model:
        - {convolution: {channels: 32, kernel: 3}}
        - relu
        - {convolution: {channels: 64, kernel: 3}}
        - relu
        - {max-pool: 2}
        - {dropout: 0.25}
        - flatten
        - {linear: 128}
        - relu
        - {dropout: 0.5}
        - {linear: 10}
      federated: {clients: 200, cohort: 50, rounds: 1000000000, batch: 10}
      optimizer: {name: sgd, learning-rate: 0.1}
      """
    ),
  ]

  init(_ arguments: Arguments) throws(RunError) {
    self.arguments = arguments
    seconds = try Bench.seconds(arguments, default: 4)
  }

  func run() throws(RunError) -> ExitCode {
    if let launcher = LauncherEnvironment.detect(), launcher.size != 1 {
      guard !arguments.has(Bench.ranks) else {
        throw RunError(.usage, "--ranks has no meaning under mpirun: -n says it")
      }
      return try Train.withMPI { (communicator) throws(RunError) in
        let prepared = try Agreement.together(communicator) { () throws(RunError) in try prepare() }
        if let report = try measure(prepared, communicator) { Output.text(report) }
      }
    }
    let ranks = try arguments.integer(Bench.ranks, in: 1...4096) ?? 1
    let prepared = try prepare()
    let outcomes = InProcessCommunicator.run(ranks: ranks) { try measure(prepared, $0) }
    let failures = outcomes.compactMap { outcome -> RunError? in
      if case .failure(let error) = outcome { RunError(error) } else { nil }
    }
    if let failure = failures.first(where: { $0.code != .peerLost }) ?? failures.first { throw failure }
    for case .success(let report?) in outcomes { Output.text(report) }
    return .done
  }

  /// The federation of a configuration with its own data, or of a standard task.
  private func prepare() throws(RunError) -> PreparedFederation {
    do {
      if let file = arguments.value(Bench.config) {
        guard !arguments.has(BenchSimulate.task) else {
          throw RunError(.usage, "--task and --config: give one of them")
        }
        return try PreparedFederation(
          FederatedExperiment(try ConfigurationLoading.overridden(try Node.load(file), arguments)))
      }
      let name = arguments.value(BenchSimulate.task) ?? "logistic"
      guard let task = BenchSimulate.tasks.first(where: { $0.name == name }) else {
        let names = BenchSimulate.tasks.map(\.name).joined(separator: ", ")
        throw RunError(.usage, "--task is `\(name)`; expected one of \(names)")
      }
      let node = try Node.parse("name: \(name)\ndata: \(task.data)\n" + task.configuration, file: "--task")
      let experiment = try FederatedExperiment(try ConfigurationLoading.overridden(node, arguments))
      let source = RandomSource(task.shape, .float32, targets: [], .classes(10), count: task.samples)
      return try PreparedFederation(experiment, dataset: source.resident(name: task.data))
    } catch { throw RunError(error) }
  }

  /// One rank's measurement; rank 0's text.
  private func measure(_ prepared: PreparedFederation, _ communicator: any Communicator) throws(RunError) -> String? {
    let benchmark = try FederatedBenchmark(prepared, communicator)
    let (times, updates) = try benchmark.measure(seconds: seconds)
    let allocations = try benchmark.allocations()
    guard communicator.rank == 0 else { return nil }
    let total = times.sorted.reduce(0, +)
    let rate = updates * Double(times.sorted.count) / total
    if !arguments.has(.json) {
      let name = prepared.experiment.name
      return
        "\(Terminal.bold(name))  \(Numerals.grouped(Int(rate.rounded()))) client updates/s "
        + "(\(communicator.size == 1 ? "" : "\(communicator.size) ranks × ")\(Numerals.plural(benchmark.threads, "thread")))\n"
        + "\(Numerals.grouped(times.sorted.count)) rounds of \(Numerals.grouped(Int(updates.rounded()))) updates, median "
        + "\(String(format: "%.3f", times.median * 1e3)) ms, least \(String(format: "%.3f", times.minimum * 1e3)) ms; peak memory "
        + Numerals.bytes(ProcessMemory.peak) + "\n"
    }
    let result: JSONObject = [
      "name": "simulate", "task": .text(prepared.experiment.name), "ranks": .integer(communicator.size),
      "threads": .integer(benchmark.threads), "clients": .integer(prepared.task.partition.clients),
      "cohort": .integer(prepared.task.cohort), "parameters": .integer(benchmark.parameters),
      "rounds": .integer(times.sorted.count), "updates_per_round": .number(updates),
      "median_seconds": .number(times.median), "minimum_seconds": .number(times.minimum),
      "updates_per_second": .number(rate), "peak_memory_bytes": .integer(ProcessMemory.peak),
      "allocations_per_round": allocations.map { .number($0.own) } ?? .null,
      "library_allocations_per_round": allocations.map { .number($0.libraries) } ?? .null,
    ]
    return result.text + "\n"
  }
}

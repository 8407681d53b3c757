import Communication
import Layers
import Tensors
import Training

/// `nndist bench step`: times training steps on one rank, on threads that are ranks, or on those of mpirun.
struct BenchStep {
  private let arguments: Arguments
  private let seconds: Double

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
        let task = try Agreement.together(communicator) { () throws(RunError) in
          try BenchTask(arguments, ranks: communicator.size)
        }
        if let report = try measure(task.prepared, communicator) { Output.text(report) }
      }
    }
    let ranks = try arguments.integer(Bench.ranks, in: 1...4096) ?? 1
    let prepared = try BenchTask(arguments, ranks: ranks).prepared
    if ranks == 1 {
      if let report = try measure(prepared, InProcessCommunicator.alone()) { Output.text(report) }
      return .done
    }
    let outcomes = InProcessCommunicator.run(ranks: ranks) { try measure(prepared, $0) }
    let failures = outcomes.compactMap { outcome -> RunError? in
      if case .failure(let error) = outcome { RunError(error) } else { nil }
    }
    if let failure = failures.first(where: { $0.code != .peerLost }) ?? failures.first { throw failure }
    for case .success(let report?) in outcomes { Output.text(report) }
    return .done
  }

  /// One rank's measurement; rank 0's text.
  private func measure(_ prepared: PreparedExperiment, _ communicator: any Communicator) throws(RunError) -> String? {
    let benchmark = try StepBenchmark(prepared, communicator)
    let first = try benchmark.limit(seconds: 0.5)
    let times = try benchmark.measure(seconds: seconds)
    let allocations = try benchmark.allocations()
    let peak = try benchmark.peakMemoryBytes()
    let limit = max(first, try benchmark.limit(seconds: 0.5))
    let cores = benchmark.threads * communicator.size
    let profile =
      arguments.has(Bench.profile) || arguments.has(Bench.layers)
      ? benchmark.profile(flopsPerSecond: limit / Double(cores), step: times.median) : nil
    let overlap = arguments.has(Bench.overlap) ? try benchmark.overlap(seconds: seconds) : nil
    try benchmark.finish()
    guard communicator.rank == 0 else { return nil }
    let speed = Double(benchmark.flops) / times.median
    var result: JSONObject = [
      "name": "step", "model": .text(prepared.model.name), "batch": .integer(benchmark.samples / communicator.size),
      "ranks": .integer(communicator.size), "threads": .integer(benchmark.threads),
      "backend": .text(prepared.compute.backend.rawValue), "shards": .integer(benchmark.shards),
      "parameters": .integer(benchmark.parameters), "steps": .integer(times.sorted.count),
      "median_seconds": .number(times.median), "minimum_seconds": .number(times.minimum),
      "samples_per_second": .number(Double(benchmark.samples) / times.median), "flops": .integer(benchmark.flops),
      "gflops": .number(speed * 1e-9), "limit_gflops": .number(limit * 1e-9),
      "fraction_of_limit": .number(speed / limit), "pool_bytes": .integer(benchmark.poolBytes),
      "peak_memory_bytes": .integer(peak),
      "allocations_per_step": allocations.map { .number($0.own) } ?? .null,
      "library_allocations_per_step": allocations.map { .number($0.libraries) } ?? .null,
    ]
    if let overlap {
      result["without_overlap_seconds"] = .number(overlap.without)
      result["communication_seconds"] = .number(overlap.communication)
      result["backward_seconds"] = .number(overlap.backward)
      result["with_overlap_seconds"] = .number(overlap.with)
      result["hidden_fraction"] = .number(overlap.hidden)
    }
    let rows = profile.map { arguments.has(Bench.layers) ? $0.rows : $0.kinds }
    if arguments.has(.json) {
      if let rows {
        result["profile"] = .list(rows.map { .object(StepTable.object($0, of: StepProfile.total(rows).seconds)) })
      }
      return result.text + "\n"
    }
    return StepTable.summary(result) + (rows.map { "\n" + StepTable.table($0) } ?? "")
  }
}

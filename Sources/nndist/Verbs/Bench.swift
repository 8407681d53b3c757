import Configuration
import Foundation
import Layers
import Learning
import Optimizers
import Tensors
import Training

/// `nndist bench step`: times what training consists of.
enum Bench: Verb {
  static let name = "bench"
  static let usage = "bench step"
  static let summary = "times a training step of a model"
  static let modelFlag = Flag("--model", "NAME", "mlp, cnn, resnet20, gpt or another named model (default mlp)")
  static let batchFlag = Flag("--batch", "N", "samples of a step")
  static let secondsFlag = Flag("--seconds", "S", "how long to measure (default 4)")
  static let profileFlag = Flag("--profile", nil, "shows where the time of a step goes")
  static let backendFlag = Flag("--backend", "NAME", "onednn or openblas (default onednn)")
  static let precisionFlag = Flag("--precision", "NAME", "float32 or bfloat16 (default float32)")
  static let recomputeFlag = Flag("--recompute", nil, "makes values of layers again for the gradient")
  static let flags = [modelFlag, batchFlag, secondsFlag, profileFlag, backendFlag, precisionFlag, recomputeFlag, .json]

  /// The peers' tasks: input of a sample and batch.
  private static func task(_ model: String) -> (input: Signal, classes: Int, batch: Int, terms: Shape) {
    switch model {
    case "mlp": (Signal([28, 28, 1]), 10, 128, [])
    case "cnn": (Signal([28, 28, 1]), 10, 64, [])
    case "gpt": (Signal(tokens: [64], vocabulary: 65), 65, 16, [64])
    default: (Signal([32, 32, 3]), 10, 64, [])
    }
  }

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    guard arguments.positional[0] == "step" else {
      throw RunError(.usage, "`\(arguments.positional[0])` cannot be timed; expected `nndist bench step`")
    }
    let name = arguments.value(modelFlag) ?? "mlp"
    let task = task(name)
    let batch = try arguments.integer(batchFlag, in: 1...1 << 20) ?? task.batch
    let seconds = arguments.value(secondsFlag).flatMap(Double.init) ?? 4
    let benchmark: StepBenchmark
    do {
      let compute = Compute(
        backend: Compute.Backend(rawValue: arguments.value(backendFlag) ?? "onednn") ?? .onednn,
        precision: Compute.Precision(rawValue: arguments.value(precisionFlag) ?? "float32") ?? .float32,
        recomputes: arguments.has(recomputeFlag))
      try compute.check()
      var options = Options(.map(["model": .text(name)]))
      let model = try ModelConfiguration(&options).build(input: task.input, classes: task.classes).model
      let rule: any UpdateRule = name == "gpt" ? AdamW() : SGD(momentum: 0.9)
      benchmark = StepBenchmark(
        model, Objective(.crossEntropy, target: task.terms), try LearningCatalog.read(&options),
        OptimizerConfiguration(rule, learningRate: 0.01), compute, batch: batch, classes: task.classes)
    } catch { throw RunError(error) }
    report(name, batch, measure(benchmark, seconds), benchmark, arguments)
    return .done
  }

  /// Seconds of steps, ascending.
  private static func measure(_ benchmark: StepBenchmark, _ seconds: Double) -> [Double] {
    for _ in 0..<5 { benchmark.step() }
    var times: [Double] = []
    let end = Date().addingTimeInterval(seconds)
    while times.count < 10 || Date() < end {
      let start = DispatchTime.now().uptimeNanoseconds
      benchmark.step()
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
    }
    return times.sorted()
  }

  private static func report(
    _ name: String, _ batch: Int, _ times: [Double], _ benchmark: StepBenchmark, _ arguments: Arguments
  ) {
    let median = times[times.count / 2]
    if arguments.has(profileFlag) { profile(benchmark) }
    let result: JSONObject = [
      "name": "step", "model": .text(name), "batch": .integer(batch), "ranks": 1,
      "parameters": .integer(benchmark.model.layout.parameterCount), "steps": .integer(times.count),
      "median_seconds": .number(median), "minimum_seconds": .number(times[0]),
      "samples_per_second": .number(Double(batch) / median), "flops": .integer(benchmark.plan.flops),
      "gflops": .number(Double(benchmark.plan.flops) / median * 1e-9), "pool_bytes": .integer(benchmark.plan.poolBytes),
    ]
    Output.line(result.text)
  }

  /// A table of the operations of a step, summed by name and layer, slowest first.
  private static func profile(_ benchmark: StepBenchmark) {
    let count = benchmark.plan.stepCount + 1
    let rounds = 20
    let seconds = UnsafeMutablePointer<Double>.allocate(capacity: count)
    seconds.initialize(repeating: 0, count: count)
    defer { seconds.deallocate() }
    for _ in 0..<rounds { benchmark.step(profile: seconds) }
    let steps = benchmark.plan.profileSteps
    var total = 0.0
    for i in 0..<count { total += seconds[i] }
    var rows: [(name: String, seconds: Double, flops: Int, bytes: Int, count: Int)] = []
    for i in 0..<count {
      let step = i < steps.count ? steps[i] : nil
      let name = step?.name ?? "update"
      let (flops, bytes) = (step?.flops ?? 0, step?.bytes ?? benchmark.model.layout.parameterCount * 16)
      if let row = rows.firstIndex(where: { $0.name == name }) {
        rows[row].seconds += seconds[i]
        rows[row].flops += flops
        rows[row].bytes += bytes
        rows[row].count += 1
      } else {
        rows.append((name, seconds[i], flops, bytes, 1))
      }
    }
    let width = rows.map(\.name.count).max() ?? 0
    Output.line("operation".padding(toLength: width + 2, withPad: " ", startingAt: 0) + "count        ms  share  GFLOP/s     GB/s")
    for row in rows.sorted(by: { $0.seconds > $1.seconds }) {
      let each = row.seconds / Double(rounds)
      Output.line(
        row.name.padding(toLength: width + 2, withPad: " ", startingAt: 0)
          + String(
            format: "%5ld %9.3f %5.1f%% %8.1f %8.1f", row.count, each * 1e3, row.seconds / total * 100,
            Double(row.flops) / each * 1e-9, Double(row.bytes) / each * 1e-9))
    }
  }
}

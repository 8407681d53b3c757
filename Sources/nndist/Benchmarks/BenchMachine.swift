import Foundation
import Tensors
import Training

/// `nndist bench gemm` and `bench memory`: what one core can do at best.
enum BenchMachine {
  /// Rows, columns and inner extent: squares, then what layers and their gradients multiply.
  private static let products = [
    (64, 64, 64), (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
    (128, 512, 784), (512, 784, 128), (128, 10, 512), (1024, 384, 128), (1024, 128, 512), (16, 4096, 1024),
    (10, 10, 784), (4096, 16, 144),
  ]

  /// Times products of many shapes.
  static func products(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let seconds = try Bench.seconds(arguments, default: 0.5)
    let compute = Compute(backend: try Bench.backend(arguments) ?? .onednn)
    do { try compute.check() } catch { throw RunError(error) }
    var table = TextTable(["m", "n", "k", "median µs", "minimum µs", "GFLOP/s"], leading: [])
    var best: (gflops: Double, object: JSONObject) = (0, [:])
    for (m, n, k) in products {
      let loop = ProductLoop(m: m, n: n, k: k, compute)
      let times = LoopTimes(seconds: seconds, loop.run)
      let gflops = Double(loop.flops) / times.minimum * 1e-9
      let result: JSONObject = [
        "name": "gemm", "backend": .text(compute.backend.rawValue), "m": .integer(m), "n": .integer(n),
        "k": .integer(k), "median_seconds": .number(times.median), "minimum_seconds": .number(times.minimum),
        "flops": .integer(loop.flops), "gflops": .number(gflops),
      ]
      if gflops > best.gflops { best = (gflops, result) }
      if arguments.has(.json) { Output.line(result.text) }
      table.add(
        ["\(m)", "\(n)", "\(k)"] + [times.median, times.minimum].map { String(format: "%.1f", $0 * 1e6) }
          + [String(format: "%.1f", gflops)])
    }
    if arguments.has(.json) {
      best.object["name"] = "gemm-limit"
      Output.line(best.object.text)
    } else {
      Output.text(Terminal.headed(table.text))
      Output.line("limit \(String(format: "%.1f", best.gflops)) GFLOP/s, one core, \(compute.backend.rawValue)")
    }
    return .done
  }

  /// Times passes over memory.
  static func memory(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let seconds = try Bench.seconds(arguments, default: 0.2)
    let kinds = MemoryLoop.Kind.allCases
    var table = TextTable(["bytes"] + kinds.map { "\($0.rawValue) GB/s" }, leading: [])
    for exponent in 15...28 {
      var cells = [exponent < 20 ? "\(1 << (exponent - 10)) KiB" : "\(1 << (exponent - 20)) MiB"]
      for kind in kinds {
        let loop = MemoryLoop(kind, bytes: 1 << exponent)
        let times = LoopTimes(seconds: seconds, loop.run)
        let rate = Double(loop.bytes) / times.minimum * 1e-9
        cells.append(String(format: "%.1f", rate))
        guard arguments.has(.json) else { continue }
        let result: JSONObject = [
          "name": "memory", "loop": .text(kind.rawValue), "bytes": .integer(loop.bytes),
          "median_seconds": .number(times.median), "minimum_seconds": .number(times.minimum),
          "gigabytes_per_second": .number(rate),
        ]
        Output.line(result.text)
      }
      table.add(cells)
    }
    if !arguments.has(.json) { Output.text(Terminal.headed(table.text)) }
    return .done
  }
}

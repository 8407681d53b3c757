import Foundation
import Reporting
import Training

/// How `bench step` shows what it measured.
enum StepTable {
  /// The measurement in a few lines.
  static func summary(_ result: JSONObject) -> String {
    func number(_ key: String) -> Double {
      switch result[key] {
      case .number(let value)?: value
      case .integer(let value)?: Double(value)
      default: 0
      }
    }
    func text(_ key: String) -> String {
      if case .text(let value)? = result[key] { value } else { "" }
    }
    let (ranks, threads) = (Int(number("ranks")), Int(number("threads")))
    var lines = [
      Terminal.bold(text("model"))
        + ", batch \(Int(number("batch"))), \(ranks) rank\(ranks == 1 ? "" : "s") × \(threads) thread\(threads == 1 ? "" : "s")"
        + ", \(Numerals.grouped(Int(number("parameters")))) parameters, \(text("backend"))",
      String(
        format: "median    %@ a step (minimum %@), %ld steps, %.4g samples/s", time(number("median_seconds")),
        time(number("minimum_seconds")), Int(number("steps")), number("samples_per_second")),
      String(
        format: "speed     %.1f GFLOP/s, %.0f %% of the %.0f that products reach here (%.4g MFLOP a step)",
        number("gflops"), number("fraction_of_limit") * 100, number("limit_gflops"), number("flops") * 1e-6),
      "memory    \(Numerals.bytes(Int(number("peak_memory_bytes")))) at most, pool \(Numerals.bytes(Int(number("pool_bytes"))))",
    ]
    if case .number(let own)? = result["allocations_per_step"] {
      lines.append(
        String(format: "malloc    %.4g a step, %.4g by libraries", own, number("library_allocations_per_step")))
    }
    if case .number(let hidden)? = result["hidden_fraction"] {
      lines.append(
        "overlap   \(time(number("with_overlap_seconds"))) a step, \(time(number("without_overlap_seconds"))) without; "
          + "exchange \(time(number("communication_seconds"))), backward pass \(time(number("backward_seconds")))"
          + String(format: ", %.0f %% hidden", hidden * 100))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// A duration with four digits and its unit.
  static func time(_ seconds: Double) -> String {
    switch seconds {
    case ..<1e-3: String(format: "%.4g µs", seconds * 1e6)
    case ..<1: String(format: "%.4g ms", seconds * 1e3)
    default: String(format: "%.4g s", seconds)
    }
  }

  /// A row a kind of operation, or an operation; `of limit` is how near it comes to what products or memory allow.
  static func table(_ rows: [StepProfile.Row]) -> String {
    let hasLayers = rows.contains { !$0.layer.isEmpty }
    let sum = StepProfile.total(rows)
    let total = sum.seconds
    var table = TextTable(
      ["operation", hasLayers ? "layer" : "count", "µs", "share", "GFLOP/s", "GB/s", "of limit", "bound by"],
      leading: hasLayers ? [0, 1, 7] : [0, 7])
    func add(_ name: String, _ second: String, _ row: StepProfile.Row) {
      let isKnown = row.flops > 0 || row.bytes > 0
      table.add([
        name, second, String(format: "%.1f", row.seconds * 1e6), String(format: "%.1f %%", row.seconds / total * 100),
        row.flops > 0 ? String(format: "%.1f", Double(row.flops) / row.seconds * 1e-9) : "-",
        row.bytes > 0 ? String(format: "%.1f", Double(row.bytes) / row.seconds * 1e-9) : "-",
        isKnown ? String(format: "%.0f %%", row.limit / row.seconds * 100) : "-",
        isKnown ? (row.isArithmetic ? "arithmetic" : "memory") : "",
      ])
    }
    for row in rows { add(row.operation, hasLayers ? row.layer : "\(row.count)", row) }
    add("all", "", sum)
    return Terminal.headed(table.text)
  }

  /// A row as JSON; its share is that of all rows' seconds.
  static func object(_ row: StepProfile.Row, of total: Double) -> JSONObject {
    var object: JSONObject = ["operation": .text(row.operation)]
    if !row.layer.isEmpty { object["layer"] = .text(row.layer) }
    object["count"] = .integer(row.count)
    object["seconds"] = .number(row.seconds)
    object["share"] = .number(total > 0 ? row.seconds / total : 0)
    object["gflops"] = .number(Double(row.flops) / row.seconds * 1e-9)
    object["gigabytes_per_second"] = .number(Double(row.bytes) / row.seconds * 1e-9)
    object["bound"] = row.flops > 0 || row.bytes > 0 ? .text(row.isArithmetic ? "arithmetic" : "memory") : .null
    object["fraction_of_limit"] = .number(row.limit / row.seconds)
    return object
  }
}

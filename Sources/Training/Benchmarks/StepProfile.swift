import Communication
import Tensors

/// Where the time of a step goes: one row an instruction of a shard's program, then what a step does besides.
public struct StepProfile: Sendable {
  /// One instruction, or all of a kind.
  public struct Row: Sendable {
    /// What is done: `convolution`.
    public var operation: String
    /// The layer it belongs to; empty in sums over a kind.
    public var layer: String
    /// Executions in a step.
    public var count: Int
    /// Seconds in a step, the median of the measured ones.
    public var seconds: Double
    /// Floating-point operations in a step.
    public var flops: Int
    /// Bytes read and written in a step, every operand once.
    public var bytes: Int
    /// The least seconds it can take on this machine.
    public var limit: Double
    /// Whether arithmetic sets the limit, or memory.
    public var isArithmetic: Bool
  }

  /// In order of execution.
  public let rows: [Row]
  /// The rows of each kind added up, slowest first.
  public var kinds: [Row] {
    var names: [String] = []
    for row in rows where !names.contains(row.operation) { names.append(row.operation) }
    return names.map { name in
      var kind = StepProfile.total(rows.filter { $0.operation == name })
      kind.operation = name
      return kind
    }.sorted { $0.seconds > $1.seconds }
  }

  /// The sum of rows; what binds most of their time binds it.
  public static func total(_ rows: [Row]) -> Row {
    let arithmetic = rows.filter(\.isArithmetic).reduce(0) { $0 + $1.limit }
    let limit = rows.reduce(0) { $0 + $1.limit }
    return Row(
      operation: "all", layer: "", count: rows.reduce(0) { $0 + $1.count }, seconds: rows.reduce(0) { $0 + $1.seconds },
      flops: rows.reduce(0) { $0 + $1.flops }, bytes: rows.reduce(0) { $0 + $1.bytes }, limit: limit,
      isArithmetic: arithmetic > limit / 2)
  }
}

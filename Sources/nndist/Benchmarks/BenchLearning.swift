import Learning
import Reporting
import Training

/// `nndist bench learning CONFIG`: what every learning rule comes to on one model and data, under one budget.
struct BenchLearning {
  private let trainings: ComparisonRun
  private var comparison: Comparison { trainings.comparison }

  static let rules = Flag(
    "--rule", "YAML", "a learning rule to compare, as a configuration says it; repeatable (default: all)", repeats: true
  )

  init(_ arguments: Arguments) throws(RunError) {
    trainings = try ComparisonRun(
      arguments, subject: "learning", key: "learning", flag: BenchLearning.rules,
      all: LearningCatalog.all.map { $0.name }, ranks: 1, seeds: 1)
  }

  func run() throws(RunError) -> ExitCode { try trainings.run(list: "rules", object: object, table: table) }

  /// One rule's figures; null where no training came to its end.
  private func object(_ outcome: Comparison.Outcome) -> JSONObject {
    let runs = outcome.runs
    let accuracy = JSONValue.interval(runs.compactMap(\.summary.accuracy))
    let loss = JSONValue.interval(runs.compactMap(\.summary.loss))
    let seconds = runs.map(\.summary.seconds).sorted()
    return [
      "name": "learning", "rule": .text(outcome.choice), "ranks": .integer(comparison.ranks),
      "seeds": .integer(runs.count), "accuracy": accuracy.mean, "accuracy_interval": accuracy.half,
      "loss": loss.mean, "loss_interval": loss.half,
      "parameters": runs.first.map { .integer($0.summary.parameters) } ?? .null,
      "steps": runs.first.map { .integer($0.summary.steps) } ?? .null,
      "peak_memory_bytes": runs.map(\.summary.peakMemoryBytes).max().map { .integer($0) } ?? .null,
      "activation_bytes": runs.first.map { .integer($0.activationBytes) } ?? .null,
      "bytes_sent": runs.first.map { .integer($0.bytesSent) } ?? .null,
      "processor_seconds": JSONValue.interval(runs.map(\.processorSeconds)).mean,
      "median_seconds": seconds.isEmpty ? .null : .number(seconds[seconds.count / 2]),
      "minimum_seconds": seconds.first.map { .number($0) } ?? .null,
      "failures": .list(outcome.failures.map { .text($0) }),
      "digests": .list(runs.map { .text($0.summary.parametersDigest) }),
    ]
  }

  /// The comparison for people.
  private func table(_ outcomes: [Comparison.Outcome]) -> String {
    var table = TextTable(
      ["rule", "accuracy", "loss", "parameters", "activations", "peak memory", "seconds", "bytes a step"], leading: [0])
    for outcome in outcomes {
      guard let first = outcome.runs.first else {
        table.add([outcome.choice] + [String](repeating: "-", count: 7))
        continue
      }
      table.add([
        outcome.choice, Interval.text(outcome.runs.compactMap(\.summary.accuracy), "%.4f"),
        Interval.text(outcome.runs.compactMap(\.summary.loss), "%.4f"), "\(first.summary.parameters)",
        Numerals.bytes(first.activationBytes), Numerals.bytes(outcome.runs.map(\.summary.peakMemoryBytes).max() ?? 0),
        Interval.text(outcome.runs.map(\.summary.seconds), "%.1f"),
        Numerals.bytes(first.bytesSent / max(1, first.summary.steps)),
      ])
    }
    return table.text + ComparisonRun.notes(outcomes)
  }
}

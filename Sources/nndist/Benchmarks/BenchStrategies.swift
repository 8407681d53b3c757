import Foundation
import Reporting
import Strategies
import Training

/// `nndist bench strategies CONFIG`: what every way to exchange gradients costs and comes to, under one budget.
struct BenchStrategies {
  private let trainings: ComparisonRun
  private var comparison: Comparison { trainings.comparison }
  private let link: LinkModel
  private let bandwidth: String

  static let strategies = Flag(
    "--strategy", "YAML", "a strategy to compare, as a configuration says it; repeatable (default: all)", repeats: true)
  static let seeds = Flag(
    "--seeds", "N", "trainings of each strategy or rule, with seeds one apart (default 3 and 1)")
  static let bandwidth = Flag("--bandwidth", "SPEED", "the link that seconds are stated for (default 1gbit)")
  static let latency = Flag("--latency", "TIME", "what each message takes beside its bytes (default 50us)")

  init(_ arguments: Arguments) throws(RunError) {
    trainings = try ComparisonRun(
      arguments, subject: "strategies", key: "strategy", flag: BenchStrategies.strategies,
      all: StrategyCatalog.all.map { $0.name }, ranks: 4, seeds: 3)
    bandwidth = arguments.value(BenchStrategies.bandwidth) ?? "1gbit"
    guard let speed = LinkModel.speed(bandwidth) else {
      throw RunError(.usage, "--bandwidth is `\(bandwidth)`; expected a speed such as 100mbit or 1gbit")
    }
    let latency = arguments.value(BenchStrategies.latency) ?? "50us"
    guard let delay = LinkModel.duration(latency) else {
      throw RunError(.usage, "--latency is `\(latency)`; expected a duration such as 50us or 1ms")
    }
    link = LinkModel(bitsPerSecond: speed, latency: delay)
  }

  func run() throws(RunError) -> ExitCode {
    try trainings.run(
      list: "strategies", more: ["bandwidth": .text(bandwidth), "latency_seconds": .number(link.latency)],
      object: object, table: table)
  }

  /// One strategy's figures; null where no training came to its end.
  private func object(_ outcome: Comparison.Outcome) -> JSONObject {
    let runs = outcome.runs
    let accuracy = JSONValue.interval(runs.compactMap(\.summary.accuracy))
    let loss = JSONValue.interval(runs.compactMap(\.summary.loss))
    let seconds = runs.map { $0.seconds(over: link) }.sorted()
    return [
      "name": "strategies", "strategy": .text(outcome.choice), "ranks": .integer(comparison.ranks),
      "seeds": .integer(runs.count), "accuracy": accuracy.mean, "accuracy_interval": accuracy.half,
      "loss": loss.mean, "loss_interval": loss.half, "steps": runs.first.map { .integer($0.summary.steps) } ?? .null,
      "bytes_sent": runs.first.map { .integer($0.bytesSent) } ?? .null,
      "messages_sent": runs.first.map { .integer($0.messagesSent) } ?? .null,
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
      ["strategy", "accuracy", "loss", "bytes a step", "messages", "processor s", "s at \(bandwidth)"])
    for outcome in outcomes {
      guard let first = outcome.runs.first else {
        table.add([outcome.choice] + [String](repeating: "-", count: 6))
        continue
      }
      let steps = max(1, first.summary.steps)
      let seconds = outcome.runs.map { $0.seconds(over: link) }.sorted()
      table.add([
        outcome.choice, Interval.text(outcome.runs.compactMap(\.summary.accuracy), "%.4f"),
        Interval.text(outcome.runs.compactMap(\.summary.loss), "%.4f"), Numerals.bytes(first.bytesSent / steps),
        String(format: "%.1f", Double(first.messagesSent) / Double(steps)),
        Interval.text(outcome.runs.map(\.processorSeconds), "%.1f"), String(format: "%.1f", seconds[seconds.count / 2]),
      ])
    }
    return table.text + ComparisonRun.notes(outcomes)
  }
}

import Communication
import Configuration
import Foundation
import Learning
import Reporting
import Training

/// `nndist bench learning CONFIG`: what every learning rule comes to on one model and data, under one budget.
struct BenchLearning {
  private let arguments: Arguments
  private let comparison: Comparison
  private let name: String

  static let rules = Flag(
    "--rule", "YAML", "a learning rule to compare, as a configuration says it; repeatable (default: all)", repeats: true
  )

  init(_ arguments: Arguments) throws(RunError) {
    self.arguments = arguments
    if let launcher = LauncherEnvironment.detect(), launcher.size != 1 {
      throw RunError(.usage, "bench learning simulates its ranks: start it without mpirun, with --ranks")
    }
    guard arguments.positional.count == 2 else {
      throw RunError(.usage, "bench learning needs a configuration: nndist bench learning CONFIG")
    }
    let ranks = try arguments.integer(Bench.ranks, in: 1...4096) ?? 1
    let count = try arguments.integer(BenchStrategies.seeds, in: 1...1000) ?? 1
    let chosen = arguments.all(BenchLearning.rules)
    do {
      let node = try ConfigurationLoading.overridden(try Node.load(arguments.positional[1]), arguments)
      let experiment = try Experiment(node)
      name = experiment.name
      for rule in chosen { _ = try Experiment(try node.setting("learning", to: rule, source: "--rule")) }
      let first = Int(experiment.seed)
      comparison = Comparison(
        node, key: "learning", choices: chosen.isEmpty ? LearningCatalog.all.map { $0.name } : chosen, ranks: ranks,
        seeds: (0..<count).map { first + $0 })
    } catch { throw RunError(error) }
  }

  func run() throws(RunError) -> ExitCode {
    StopSignal.install()
    let directory = try RunDirectory(name: "\(name)-learning", path: arguments.value(.run))
    try directory.write(configuration: comparison.configuration)
    var done = 0
    let outcomes = try comparison.run { rule, seed in
      done += 1
      if !arguments.has(.quiet) { Output.note("\(done) of \(comparison.count): \(rule), seed \(seed)") }
    }
    let objects = outcomes.map(object)
    let all: JSONObject = [
      "configuration": .text(name), "ranks": .integer(comparison.ranks),
      "seeds": .list(comparison.seeds.map { .integer($0) }), "rules": .list(objects.map { .object($0) }),
    ]
    try directory.write(JSONValue.object(all).lines + "\n", to: "comparison.json")
    if arguments.has(.json) {
      for object in objects { Output.line(object.text) }
    } else {
      Output.text(Terminal.headed(table(outcomes)))
      Output.line("run  \(directory.path)")
    }
    return .done
  }

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
      ["rule", "accuracy", "loss", "parameters", "activations", "peak memory", "seconds", "bytes a step", ""],
      leading: [0, 8])
    for outcome in outcomes {
      let note = outcome.failures.first ?? ""
      guard let first = outcome.runs.first else {
        table.add([outcome.choice, "-", "-", "-", "-", "-", "-", "-", note])
        continue
      }
      table.add([
        outcome.choice, Interval.text(outcome.runs.compactMap(\.summary.accuracy), "%.4f"),
        Interval.text(outcome.runs.compactMap(\.summary.loss), "%.4f"), "\(first.summary.parameters)",
        Numerals.bytes(first.activationBytes), Numerals.bytes(outcome.runs.map(\.summary.peakMemoryBytes).max() ?? 0),
        Interval.text(outcome.runs.map(\.summary.seconds), "%.1f"),
        Numerals.bytes(first.bytesSent / max(1, first.summary.steps)), note,
      ])
    }
    return table.text
  }
}

import Communication
import Configuration
import Reporting
import Training

/// What `bench strategies` and `bench learning` have in common: trainings that differ in one key, a folder of results, a table.
struct ComparisonRun {
  /// What is trained.
  let comparison: Comparison
  /// The name of the experiment.
  let name: String
  private let arguments: Arguments
  private let subject: String

  /// Reads the configuration that follows `subject` on the command line, and the values of `key` that `flag` names.
  ///
  /// Ranks and seeds are those given, or so many.
  init(
    _ arguments: Arguments, subject: String, key: String, flag: Flag, all: [String], ranks: Int, seeds: Int
  ) throws(RunError) {
    self.arguments = arguments
    self.subject = subject
    if let launcher = LauncherEnvironment.detect(), launcher.size != 1 {
      throw RunError(.usage, "bench \(subject) simulates its ranks: start it without mpirun, with --ranks")
    }
    guard arguments.positional.count == 2 else {
      throw RunError(.usage, "bench \(subject) needs a configuration: nndist bench \(subject) CONFIG")
    }
    let ranks = try arguments.integer(Bench.ranks, in: 1...4096) ?? ranks
    let count = try arguments.integer(BenchStrategies.seeds, in: 1...1000) ?? seeds
    let chosen = arguments.all(flag)
    do {
      let node = try ConfigurationLoading.overridden(try Node.load(arguments.positional[1]), arguments)
      let experiment = try Experiment(node)
      name = experiment.name
      for choice in chosen { _ = try Experiment(try node.setting(key, to: choice, source: flag.name)) }
      let first = Int(experiment.seed)
      comparison = Comparison(
        node, key: key, choices: chosen.isEmpty ? all : chosen, ranks: ranks, seeds: (0..<count).map { first + $0 })
    } catch { throw RunError(error) }
  }

  /// Why choices did not train, a line each: in the table it would be wider than any window.
  static func notes(_ outcomes: [Comparison.Outcome]) -> String {
    outcomes.compactMap { outcome in outcome.failures.first.map { "\(outcome.choice): \($0.onOneLine)\n" } }.joined()
  }

  /// Trains everything, writes RUN/comparison.json, whose list of choices is called `list`, and prints objects or the table.
  func run(
    list: String, more: JSONObject = [:], object: (Comparison.Outcome) -> JSONObject,
    table: ([Comparison.Outcome]) -> String
  ) throws(RunError) -> ExitCode {
    StopSignal.install()
    let directory = try RunDirectory(name: "\(name)-\(subject)", path: arguments.value(.run))
    try directory.write(configuration: comparison.configuration)
    var done = 0
    let outcomes = try comparison.run { choice, seed in
      done += 1
      if !arguments.has(.quiet) { Output.note("\(done) of \(comparison.count): \(choice), seed \(seed)") }
    }
    let objects = outcomes.map(object)
    var all: JSONObject = [
      "configuration": .text(name), "ranks": .integer(comparison.ranks),
      "seeds": .list(comparison.seeds.map { .integer($0) }),
    ]
    for member in more.members { all[member.key] = member.value }
    all[list] = .list(objects.map { .object($0) })
    try directory.write(JSONValue.object(all).lines + "\n", to: "comparison.json")
    if arguments.has(.json) {
      for object in objects { Output.line(object.text) }
    } else {
      Output.text(Terminal.headed(table(outcomes)))
      Output.line("run  \(directory.path)")
    }
    return .done
  }
}

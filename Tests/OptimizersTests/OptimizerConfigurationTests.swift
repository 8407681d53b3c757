import Configuration
import Optimizers
import Testing

@Suite("The section `optimizer:`")
struct OptimizerConfigurationTests {
  @Test(arguments: [
    ("sgd", 1e-3), ("adam", 1e-3), ("adamw", 1e-3), ("rmsprop", 1e-2), ("lars", 1.0),
  ])
  func aNameAloneTakesDefaults(_ name: String, rate: Double) throws {
    let configuration = try configuration(name)
    #expect(configuration.name == name)
    #expect(configuration.learningRate(step: 17, stepsPerEpoch: 10, totalSteps: 20) == rate)
  }

  @Test func nothingIsSGD() throws {
    var options = Options(try Node.parse("seed: 1", file: "a.yaml"))
    #expect(try OptimizerConfiguration(options: &options).name == "sgd")
    #expect(throws: ConfigurationError.self) {
      try OptimizerConfiguration(options: &options, key: "outer", default: nil)
    }
  }

  @Test(arguments: [1e-300, 1e-30, 3.5, 1e30, 1e300])
  func anyFinitePositiveRateIsAccepted(_ rate: Double) throws {
    #expect(try configuration("{name: sgd, learning-rate: \(rate)}").learningRate == rate)
  }

  @Test(arguments: [
    ("sdg", "optimizer is \"sdg\"", "did you mean `sgd`?"),
    ("{name: sgd, learning_rate: 1}", "unknown key `learning_rate` in optimizer", "did you mean `learning-rate`?"),
    ("{name: sgd, beta1: 0.9}", "unknown key `beta1` in optimizer", ""),
    ("{name: sgd, learning-rate: 0}", "optimizer.learning-rate is 0", "above 0"),
    ("{name: sgd, learning-rate: -0.1}", "optimizer.learning-rate is -0.1", "above 0"),
    ("{name: sgd, learning-rate: .inf}", "optimizer.learning-rate is .inf", "above 0"),
    ("{name: sgd, learning-rate: .nan}", "optimizer.learning-rate is .nan", "above 0"),
    ("{name: sgd, learning-rate: fast}", "optimizer.learning-rate is \"fast\"", "a number"),
    ("{name: sgd, momentum: 1}", "optimizer.momentum is 1", "below 1"),
    ("{name: sgd, nesterov: true}", "optimizer.nesterov needs momentum", "set `momentum`"),
    ("{name: sgd, weight-decay: -1}", "optimizer.weight-decay is -1", "at least 0"),
    ("{name: adam, beta2: 1}", "optimizer.beta2 is 1", "below 1"),
    ("{name: lars, trust: 0}", "optimizer.trust is 0", "above 0"),
    ("{name: sgd, schedule: cosinus}", "optimizer.schedule is \"cosinus\"", "did you mean `cosine`?"),
    ("{name: sgd, schedule: step}", "optimizer.schedule step needs `every`", "milestones"),
    ("{name: sgd, schedule: {name: step, every: 1, milestones: [2]}}", "has both `every` and `milestones`", "keep one"),
    ("{name: sgd, schedule: {name: step, milestones: [3, 2]}}", "optimizer.schedule.milestones must rise", ""),
    ("{name: sgd, schedule: {name: cosine, minimum: 1}}", "optimizer.schedule.minimum is 1", "lower it"),
    ("{name: sgd, schedule: {name: cosine, every: 1}}", "unknown key `every` in optimizer.schedule", ""),
    ("{name: sgd, schedule: one-cycle, warmup: 1}", "one-cycle has its own rise", "leave out the warm-up"),
    ("{name: sgd, warmup: 1, warmup-steps: 3}", "has both `warmup` (epochs) and `warmup-steps`", "keep one"),
    ("{name: sgd, warmup: -1}", "optimizer.warmup is -1", "(epochs)"),
  ])
  func faultsAreNamedWithPlaceAndRemedy(_ text: String, fault: String, remedy: String) throws {
    let message = try #require(complaint(text))
    #expect(message.hasPrefix("a.yaml:1: "))
    #expect(message.contains(fault) && message.contains(remedy), "\(message)")
    #expect(!message.contains("\n"))
  }

  @Test(arguments: References.stored.rules.cases.map(\.options) + References.stored.schedules.cases.map(\.options))
  func theResolvedSectionMeansTheSame(_ text: String) throws {
    var options = Options(try Node.parse("optimizer: \(text)", file: "a.yaml"))
    let first = try OptimizerConfiguration(options: &options)
    let resolved = options.resolved
    var again = Options(try Node.parse(resolved.yaml(), file: "config.yaml"))
    let second = try OptimizerConfiguration(options: &again)
    try again.finish()
    #expect(again.resolved == resolved)
    for step in [0, 1, 7, 39] {
      #expect(
        first.learningRate(step: step, stepsPerEpoch: 4, totalSteps: 40)
          == second.learningRate(step: step, stepsPerEpoch: 4, totalSteps: 40))
    }
  }

  @Test(arguments: OptimizerCatalog.rules.map { $0.name }, OptimizerCatalog.schedules.map { $0.name })
  func everyKeyIsDocumented(_ rule: String, schedule: String) {
    let keys = Options.document(choosing: ["optimizer": rule, "optimizer.schedule": schedule]) {
      (options) throws(ConfigurationError) in _ = try OptimizerConfiguration(options: &options)
    }
    #expect(keys.map(\.key).contains("optimizer.warmup"))
    #expect(keys.map(\.key).contains("optimizer.weight-decay"))
    #expect(schedule == "constant" || keys.contains { $0.key.hasPrefix("optimizer.schedule.") })
    for key in keys { #expect(key.help.hasSuffix("."), "\(key.key): \(key.help)") }
    #expect(keys.first { $0.key == "optimizer.warmup" }?.unit == "epochs")
  }
}

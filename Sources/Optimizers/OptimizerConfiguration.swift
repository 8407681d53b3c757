import Configuration
import Tensors

/// What the section `optimizer:` of a configuration says: an update rule and its learning rate over the training.
///
///     optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.9, weight-decay: 5e-4, schedule: cosine, warmup: 1}
public struct OptimizerConfiguration: Sendable {
  /// How parameters move.
  public let rule: any UpdateRule
  /// The rate that the schedule starts from or rises to.
  public let learningRate: Double
  /// The rate after the warm-up.
  public let schedule: any Schedule
  /// The rise at the start.
  public let warmup: Warmup

  /// A rule with a constant rate, or with a schedule of its own rate.
  public init(
    _ rule: any UpdateRule, learningRate: Double, schedule: (any Schedule)? = nil, warmup: Warmup = .none
  ) {
    self.rule = rule
    self.learningRate = learningRate
    self.schedule = schedule ?? ConstantSchedule(learningRate: learningRate)
    self.warmup = warmup
  }

  /// Reads the section `key` of a map: the rule's name and own keys, `learning-rate`, `schedule`, `warmup`.  Without a
  /// name it is the default's, or an error when that is nil.
  public init(
    options: inout Options, key: String = "optimizer", default defaultName: String? = SGD.name
  ) throws(ConfigurationError) {
    let rules = OptimizerCatalog.rules
    self = try options.named(
      key, of: rules.map { $0.name }, default: defaultName, "How parameters move along their gradients."
    ) { (name, options) throws(ConfigurationError) -> OptimizerConfiguration in
      let rule = rules[rules.firstIndex { $0.name == name } ?? 0]
      let learningRate = try options.number(
        "learning-rate", default: rule.defaultLearningRate, in: .positive,
        "How far parameters move along a gradient of one; the schedule's highest value.")
      let schedule = try OptimizerConfiguration.schedule(&options, learningRate)
      let warmup = try Warmup(options: &options)
      try options.require(
        warmup.isEmpty || type(of: schedule).allowsWarmup, key: options.has("warmup-steps") ? "warmup-steps" : "warmup",
        "\(options.keyPath): the schedule \(type(of: schedule).name) has its own rise; leave out the warm-up")
      return OptimizerConfiguration(
        try rule.init(options: &options), learningRate: learningRate, schedule: schedule, warmup: warmup)
    }
  }

  private static func schedule(
    _ options: inout Options, _ learningRate: Double
  ) throws(ConfigurationError) -> any Schedule {
    let schedules = OptimizerCatalog.schedules
    return try options.named(
      "schedule", of: schedules.map { $0.name }, default: ConstantSchedule.name,
      "How the learning rate changes over the training."
    ) { (name, options) throws(ConfigurationError) -> any Schedule in
      let schedule = schedules[schedules.firstIndex { $0.name == name } ?? 0]
      return try schedule.init(options: &options, learningRate: learningRate)
    }
  }

  /// The rule's name.
  public var name: String { type(of: rule).name }

  /// The learning rate of a step, counted from 0, of a training of `totalSteps`: a pure function.
  public func learningRate(step: Int, stepsPerEpoch: Int, totalSteps: Int) -> Double {
    let moment = TrainingMoment(
      step: step, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps,
      warmupSteps: warmup.steps(stepsPerEpoch: stepsPerEpoch))
    return schedule.learningRate(at: moment) * warmup.share(at: moment)
  }

  /// An optimizer of a range of parameters (all unless given) that remembers nothing yet.
  public func make(layout: ParameterLayout, range: Range<Int>? = nil) -> Optimizer {
    Optimizer(rule, layout: layout, range: range)
  }
}

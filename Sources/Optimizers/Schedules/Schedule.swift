import Configuration

/// The learning rate over a training, after its warm-up: a pure function of where the training stands.
public protocol Schedule: Sendable {
  /// What configurations call it.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }

  /// Reads the schedule's own keys; `learningRate` is the rate that it starts from or rises to.
  init(options: inout Options, learningRate: Double) throws(ConfigurationError)

  /// Whether ``Warmup`` may go before it; false for a schedule that has its own.
  static var allowsWarmup: Bool { get }

  /// The rate of a step.
  func learningRate(at moment: TrainingMoment) -> Double
}

extension Schedule {
  /// Schedules start at their rate, so they may be warmed up, unless they say otherwise.
  public static var allowsWarmup: Bool { true }
}

/// Where a training stands.
public struct TrainingMoment: Sendable, Hashable {
  /// Updates made so far.
  public let step: Int
  /// Updates of an epoch, at least 1.
  public let stepsPerEpoch: Int
  /// Updates of the whole training, at least 1.
  public let totalSteps: Int
  /// Updates of the warm-up, which come first.
  public let warmupSteps: Int

  /// A step of a training; steps beyond its end count as the end where a schedule asks how much is left.
  public init(step: Int, stepsPerEpoch: Int, totalSteps: Int, warmupSteps: Int = 0) {
    precondition(
      step >= 0 && stepsPerEpoch >= 1 && totalSteps >= 1 && warmupSteps >= 0,
      "step \(step) of \(totalSteps), \(stepsPerEpoch) an epoch, \(warmupSteps) to warm up")
    self.step = step
    self.stepsPerEpoch = stepsPerEpoch
    self.totalSteps = totalSteps
    self.warmupSteps = warmupSteps
  }

  /// Epochs made so far, with fractions.
  public var epochs: Double { Double(step) / Double(stepsPerEpoch) }

  /// How much of the training after its warm-up is done, from 0 to 1.
  public var progress: Double {
    let length = totalSteps - warmupSteps
    if length <= 0 { return 0 }
    return min(max(Double(step - warmupSteps) / Double(length), 0), 1)
  }
}

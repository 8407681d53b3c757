import Configuration

/// The same rate at every step.
public struct ConstantSchedule: Schedule {
  /// What configurations call it.
  public static let name = "constant"
  /// What it does, in a sentence.
  public static let help = "the same rate throughout"

  let learningRate: Double

  /// A constant rate.
  public init(learningRate: Double) { self.learningRate = learningRate }

  /// Reads the schedule's keys.
  public init(options: inout Options, learningRate: Double) throws(ConfigurationError) {
    self.learningRate = learningRate
  }

  /// The rate of a step.
  public func learningRate(at moment: TrainingMoment) -> Double { learningRate }
}

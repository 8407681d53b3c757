import Configuration
import Glibc

/// A rate that falls along half a cosine to a minimum at the end of the training (Loshchilov & Hutter 2017, eq. 5, without
/// restarts), as PyTorch's `CosineAnnealingLR` stepped at every update over the steps after the warm-up.
public struct CosineSchedule: Schedule {
  /// What configurations call it.
  public static let name = "cosine"
  /// What it does, in a sentence.
  public static let help = "the rate falls along half a cosine (Loshchilov & Hutter 2017)"

  let learningRate: Double
  let minimum: Double

  /// Reads the schedule's keys.
  public init(options: inout Options, learningRate: Double) throws(ConfigurationError) {
    self.learningRate = learningRate
    minimum = try options.number("minimum", default: 0, in: .nonNegative, "The rate at the end.")
    try options.require(
      minimum <= learningRate, key: "minimum",
      "\(options.keyPath).minimum is \(minimum), above the learning rate of \(learningRate); lower it")
  }

  /// The rate of a step.
  public func learningRate(at moment: TrainingMoment) -> Double {
    minimum + (learningRate - minimum) * (1 + cos(.pi * moment.progress)) / 2
  }
}

import Configuration
import Glibc

/// A rate that falls by a factor every few epochs, or at given epochs: PyTorch's `StepLR` and `MultiStepLR`, stepped once an epoch.
/// Epochs count from the start of the training, warm-up included (as in Goyal et al. 2017, section 5.1).
public struct StepSchedule: Schedule {
  /// What configurations call it.
  public static let name = "step"
  /// What it does, in a sentence.
  public static let help = "the rate falls by a factor every so many epochs, or at given ones"

  let learningRate: Double
  let every: Double?
  let milestones: [Double]
  let factor: Double

  /// Reads the schedule's keys.
  public init(options: inout Options, learningRate: Double) throws(ConfigurationError) {
    self.learningRate = learningRate
    every = try options.optionalNumber(
      "every", in: .positive, unit: "epochs", "The rate is multiplied with the factor each time so many have passed.")
    milestones = try options.numbers(
      "milestones", default: [], in: .nonNegative, unit: "epochs",
      "The rate is multiplied with the factor at each of these, in place of `every`.")
    factor = try options.number("factor", default: 0.1, in: .positive, "What the rate is multiplied with.")
    let path = options.keyPath
    try options.require(
      every != nil || !milestones.isEmpty, "\(path) step needs `every` (epochs) or `milestones` (a list of epochs)")
    try options.require(
      every == nil || milestones.isEmpty, key: "milestones", "\(path) has both `every` and `milestones`; keep one")
    try options.require(
      zip(milestones, milestones.dropFirst()).allSatisfy { $0 < $1 }, key: "milestones",
      "\(path).milestones must rise from one to the next")
  }

  /// The rate of a step.
  public func learningRate(at moment: TrainingMoment) -> Double {
    let perEpoch = Double(moment.stepsPerEpoch)
    // Compared in steps: a whole number of epochs is exactly a whole number of steps.
    let step = Double(moment.step)
    let passed =
      if let every {
        (step / (every * perEpoch)).rounded(.down)
      } else {
        Double(milestones.count { $0 * perEpoch <= step })
      }
    return passed == 0 ? learningRate : learningRate * pow(factor, passed)
  }
}

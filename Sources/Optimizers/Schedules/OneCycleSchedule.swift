import Configuration
import Glibc

/// One rise and one fall, both along half a cosine (Smith & Topin 2018), as PyTorch's `OneCycleLR` with two phases and
/// momentum left alone.  The learning rate is the peak.
public struct OneCycleSchedule: Schedule {
  /// What configurations call it.
  public static let name = "one-cycle"
  /// What it does, in a sentence.
  public static let help = "the rate rises, then falls to almost nothing (Smith & Topin 2018)"
  /// It rises by itself.
  public static let allowsWarmup = false

  let peak: Double
  let rise: Double
  let startDivisor: Double
  let endDivisor: Double

  /// Reads the schedule's keys.
  public init(options: inout Options, learningRate: Double) throws(ConfigurationError) {
    peak = learningRate
    rise = try options.number("rise", default: 0.3, in: .fraction, "Share of the training in which the rate rises.")
    startDivisor = try options.number(
      "start-divisor", default: 25, in: .atLeast(1), "The first rate is the learning rate over this.")
    endDivisor = try options.number(
      "end-divisor", default: 1e4, in: .atLeast(1), "The last rate is the first rate over this.")
  }

  /// The rate of a step.
  public func learningRate(at moment: TrainingMoment) -> Double {
    let start = peak / startDivisor
    let last = Double(moment.totalSteps - 1)
    let top = max(rise * Double(moment.totalSteps) - 1, 0)
    let step = min(Double(moment.step), last)
    if step < top { return anneal(from: start, to: peak, step / top) }
    return anneal(from: peak, to: start / endDivisor, last > top ? (step - top) / (last - top) : 0)
  }

  private func anneal(from start: Double, to end: Double, _ share: Double) -> Double {
    end + (start - end) * (1 + cos(.pi * share)) / 2
  }
}

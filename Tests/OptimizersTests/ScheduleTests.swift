import Optimizers
import Testing

@Suite("Schedules")
struct ScheduleTests {
  @Test(arguments: References.stored.schedules.cases)
  func ratesArePyTorchs(_ reference: References.Schedules.Case) throws {
    let stored = References.stored.schedules
    let configuration = try configuration(reference.options)
    for step in 0..<stored.steps {
      let rate = configuration.learningRate(step: step, stepsPerEpoch: stored.stepsPerEpoch, totalSteps: stored.steps)
      #expect(abs(rate - reference.rates[step]) < 1e-10, "\(rate) at step \(step), not \(reference.rates[step])")
    }
  }

  private static let all = [
    "constant", "cosine", "one-cycle", "{name: step, every: 0.3}", "{name: step, milestones: [0, 1.5]}",
    "{name: one-cycle, rise: 0}", "{name: one-cycle, rise: 1}",
  ]

  @Test(arguments: all, [1, 2, 3, 100])
  func ratesAreFiniteWhateverTheLength(_ schedule: String, steps: Int) throws {
    let lengths = ["", ", warmup: 0.4", ", warmup: 1e300", ", warmup-steps: 1000"]
    let warmups = schedule.contains("one-cycle") ? [""] : lengths
    for warmup in warmups {
      let configuration = try configuration("{name: sgd, learning-rate: 0.5, schedule: \(schedule)\(warmup)}")
      for step in 0..<steps + 3 {
        let rate = configuration.learningRate(step: step, stepsPerEpoch: max(1, steps / 3), totalSteps: steps)
        #expect(rate.isFinite && rate >= 0 && rate <= 0.5 * (1 + 1e-12), "\(rate) at step \(step) of \(steps)\(warmup)")
      }
    }
  }

  @Test func warmupReachesTheRateExactly() throws {
    let configuration = try configuration("{name: sgd, learning-rate: 0.3, warmup: 2, warmup-start: 0}")
    let rates = (0..<12).map { configuration.learningRate(step: $0, stepsPerEpoch: 5, totalSteps: 50) }
    #expect(rates[0] == 0)
    #expect(rates[10] == 0.3 && rates[11] == 0.3)
    #expect(zip(rates, rates.dropFirst()).prefix(10).allSatisfy { $0 < $1 })
  }

  @Test func aFallAfterWholeEpochsIsAtTheirFirstStep() throws {
    let configuration = try configuration("{name: sgd, learning-rate: 1, schedule: {name: step, every: 7}}")
    for stepsPerEpoch in [1, 3, 391, 49_999] {
      for fall in 1..<20 {
        let step = fall * 7 * stepsPerEpoch
        let before = configuration.learningRate(step: step - 1, stepsPerEpoch: stepsPerEpoch, totalSteps: 10_000_000)
        let after = configuration.learningRate(step: step, stepsPerEpoch: stepsPerEpoch, totalSteps: 10_000_000)
        #expect(after < before)
      }
    }
  }
}

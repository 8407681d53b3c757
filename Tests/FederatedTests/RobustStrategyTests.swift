import Federated
import Testing

@Suite("Robust strategies")
struct RobustStrategyTests {
  @Test(
    "With clients of equal size, a rule that leaves nobody out is federated averaging: to the bit",
    arguments: [
      "{name: trimmed-mean, beta: 0}", "{name: multi-krum, attackers: 0}", "{name: bulyan, attackers: 0}",
    ])
  func reductions(_ strategy: String) throws {
    for cohort in ["cohort: 7", "cohort: 12"] {
      let mean = try GuardedTrial("strategy: fedavg, \(cohort)")()
      let robust = try GuardedTrial("strategy: \(strategy), \(cohort)")()
      #expect(robust.bits == mean.bits)
    }
  }

  @Test(
    "A cohort too small for the rule is refused before the run",
    arguments: [
      ("{name: krum, attackers: 3}", 8, 9), ("{name: multi-krum, attackers: 2}", 6, 7),
      ("{name: multi-krum, attackers: 0, selected: 6}", 5, 6), ("{name: bulyan, attackers: 2}", 10, 11),
    ])
  func tooSmall(_ strategy: String, _ cohort: Int, _ enough: Int) throws {
    let refusal = try GuardedTrial("strategy: \(strategy), cohort: \(cohort)").refusal()
    #expect(refusal?.kind == .configuration)
    #expect(refusal?.message.contains("needs at least \(enough) updates") == true)
    #expect(try GuardedTrial("strategy: \(strategy), cohort: \(enough)").refusal() == nil)
  }

  @Test("A round whose rejected updates leave the rule too few is skipped and counted, and the run goes on")
  func skipped() throws {
    var trial = GuardedTrial("strategy: {name: krum, attackers: 2}, cohort: 7, attack: {name: not-finite, share: 0.1}")
    trial.rounds = 8
    let outcome = try trial()
    #expect(outcome.records.count == 8)
    for (round, record) in outcome.records.enumerated() {
      #expect(record.isSkipped == (record.updates < 7) && record.rejected == 7 - record.updates)
      #expect((outcome.models[round + 1] == outcome.models[round]) == record.isSkipped)
    }
    #expect(Set(outcome.records.map(\.isSkipped)) == [true, false])
  }

  @Test(
    "Rules stand up to noise and flipped signs that averaging does not",
    arguments: [
      "median", "{name: trimmed-mean, beta: 0.25}", "{name: multi-krum, attackers: 2}", "{name: krum, attackers: 2}",
      "{name: bulyan, attackers: 2}", "geometric-median",
    ], ["{name: gaussian, deviation: 3, clients: [2, 9]}", "{name: sign-flip, scale: 30, clients: [2, 9]}"])
  func standing(_ strategy: String, _ attack: String) throws {
    func accuracy(_ strategy: String) throws -> Double {
      var trial = GuardedTrial("strategy: \(strategy), attack: \(attack), epochs: 3")
      (trial.partition, trial.rounds) = ("iid", 10)
      return try trial().accuracy
    }
    let (robust, averaged) = (try accuracy(strategy), try accuracy("fedavg"))
    #expect(robust > 0.8 && averaged < 0.6, "\(robust) \(averaged)")
  }
}

import Configuration
import Federated
import Foundation
import Testing

@Suite("Differential privacy in rounds")
struct PrivacyTests {
  @Test(
    "Without noise and clipping it is unweighted federated averaging: to the bit",
    arguments: ["cohort: 5", "epochs: 2"])
  func reduction(_ keys: String) throws {
    let mean = try GuardedTrial("strategy: fedavg, weighting: clients, \(keys)")()
    #expect(try GuardedTrial("strategy: fedavg, privacy: {noise: 0}, \(keys)")().bits == mean.bits)
    #expect(try GuardedTrial("strategy: fedavg, privacy: {noise: 0, clip: 1.0e+6}, \(keys)")().bits == mean.bits)
    // Clients draw the same number of samples, so that weights are alike anyway.
    #expect(try GuardedTrial("strategy: fedavg, \(keys)")().bits == mean.bits)
  }

  @Test("Clients of different sizes weigh the same")
  func weights() throws {
    var trial = GuardedTrial("strategy: fedavg, privacy: {noise: 0}")
    trial.partition = "{name: dirichlet, alpha: 0.5, minimum: 1}"
    let outcome = try trial()
    trial.federated = "strategy: fedavg, weighting: clients"
    #expect(distance(try trial().models[3], outcome.models[3]) < 1e-6)
    trial.federated = "strategy: fedavg"
    #expect(distance(try trial().models[3], outcome.models[3]) > 1e-3)
  }

  @Test(
    "Noise on the mean has the deviation z C / m, whoever came",
    arguments: ["", ", attack: {name: not-finite, clients: [0, 3]}"])
  func noise(_ attack: String) throws {
    let quiet = try GuardedTrial("strategy: fedavg, privacy: {noise: 0, clip: 0.25}\(attack)")()
    let noisy = try GuardedTrial("strategy: fedavg, privacy: {noise: 3, clip: {name: fixed, norm: 0.25}}\(attack)")()
    let noise = zip(noisy.firstChange, quiet.firstChange).map { $0 - $1 }
    let deviation = norm(noise) / Double(noise.count).squareRoot()
    #expect(abs(deviation / (3 * 0.25 / 12) - 1) < 0.1)
  }

  @Test("Means are over the planned cohort: who is missing counts as no change")
  func planned() throws {
    let all = try GuardedTrial(
      "strategy: fedavg, privacy: {noise: 0}, attack: {name: not-finite, clients: [1, 2, 3]}")()
    let came = try GuardedTrial("strategy: fedavg, attack: {name: not-finite, clients: [1, 2, 3]}")()
    #expect(distance(all.firstChange, came.firstChange.map { $0 * 9 / 12 }) < 1e-6)
  }

  @Test("A round of nobody adds noise too")
  func nobody() throws {
    var trial = GuardedTrial("strategy: fedavg, privacy: {noise: 1, clip: 1}, cohort: 1, sampling: poisson")
    trial.rounds = 12
    let outcome = try trial()
    let empty = outcome.records.indices.filter { outcome.records[$0].selected == 0 }
    #expect(!empty.isEmpty)
    for round in outcome.records.indices {
      #expect(!outcome.records[round].isSkipped && outcome.models[round + 1] != outcome.models[round])
    }
  }

  @Test(
    "The ε of each round is that of its accountant",
    arguments: [
      ("cohort: 3", CohortSampling.fixed(cohort: 3, population: 12)),
      ("cohort: 3, sampling: poisson", .poisson(rate: 0.25)), ("cohort: 12", .poisson(rate: 1)),
    ])
  func account(_ keys: String, _ sampling: CohortSampling) throws {
    let outcome = try GuardedTrial("strategy: fedavg, \(keys), privacy: {noise: 2, clip: 1, delta: 1.0e-3}")()
    var accountant = RDPAccountant()
    for record in outcome.records {
      accountant.spend(sampling, noiseMultiplier: 2)
      let epsilon = accountant.epsilon(delta: 1e-3)
      #expect(abs((record.others["epsilon"] ?? 0) - epsilon) < 1e-9 * epsilon)
    }
  }

  @Test("Loss distributions give an ε that never falls, is never too small, and in the last round exact")
  func distributions() throws {
    var trial = GuardedTrial(
      "strategy: fedavg, cohort: 1, sampling: poisson, privacy: {noise: 1, clip: 1, accountant: pld}")
    trial.rounds = 39
    let told = try trial().records.map { $0.others["epsilon"] ?? 0 }
    let accountant = PLDAccountant(rate: 1.0 / 12, noiseMultiplier: 1, interval: 1e-3)
    let finer = PLDAccountant(rate: 1.0 / 12, noiseMultiplier: 1)
    var last = 0.0
    for rounds in [1, 2, 15, 16, 31, 32, 33, 34, 38, 39] {
      let exact = accountant.epsilon(delta: 1e-5, rounds: rounds)
      #expect(told[rounds - 1] >= exact && told[rounds - 1] < 1.05 * exact && told[rounds - 1] >= last)
      if rounds <= 32 || rounds == 39 { #expect(told[rounds - 1] == exact) }
      if rounds == 39 { #expect(exact < 1.001 * finer.epsilon(delta: 1e-5, rounds: rounds)) }
      last = told[rounds - 1]
    }
  }

  @Test("The budget ends the run before the round that would exceed it", arguments: ["rdp", "pld"])
  func budget(_ accountant: String) throws {
    let keys = "strategy: fedavg, cohort: 3, sampling: poisson"
    var trial = GuardedTrial("\(keys), privacy: {noise: 1, clip: 1, accountant: \(accountant)}")
    trial.rounds = 6
    let free = try trial()
    let spent = free.records.map { $0.others["epsilon"] ?? 0 }
    #expect(free.error == nil)
    // More than four rounds cost, less than five.
    trial.federated =
      "\(keys), privacy: {noise: 1, clip: 1, accountant: \(accountant), budget: \((spent[3] + spent[4]) / 2)}"
    let outcome = try trial()
    #expect(outcome.error?.kind == .refused && outcome.records.count == 4)
    #expect(outcome.error?.message.contains("4 rounds are done") == true)
    #expect(outcome.error?.message.contains("ε = \(spent[3])") == true)
    #expect(outcome.models[4] == free.models[4] && outcome.models.count == 5)
  }

  @Test(
    "A budget that does not pay for one round is refused before the first",
    arguments: ["budget: 0, noise: 1, clip: 1", "budget: 0.01, noise: 1, clip: 1", "budget: 1000, noise: 0"])
  func empty(_ keys: String) throws {
    var trial = GuardedTrial("strategy: fedavg, privacy: {\(keys)}")
    trial.threads = 2
    let refusal = try trial.refusal()
    #expect(refusal?.kind == .refused && refusal?.message.contains("does not pay for one round") == true)
  }

  @Test("An adaptive norm follows the quantile, is told, and is remembered")
  func adaptive() throws {
    var trial = GuardedTrial(
      "strategy: fedavg, epochs: 2, privacy: {clip: {name: adaptive, initial: 0.01, quantile: 0.5, rate: 1}, noise: 0}")
    (trial.clients, trial.rounds) = (20, 40)
    let outcome = try trial()
    let norms = outcome.records.map { $0.others["clipping_norm"] ?? 0 }
    // Nobody is below the first norms, so that they grow by e^½ each.
    #expect(norms[0] == Double(Float(0.01)) && abs(norms[1] / norms[0] - 1.6487213) < 1e-5)
    #expect(outcome.memory["setting/clipping-norm"]?.count == 1)
    // Each step is that of some number of the 20 clients, half of which would leave the norm where it is.
    for (next, norm) in zip(norms.dropFirst(), norms) {
      let kept = 20 * (0.5 - log(next / norm))
      #expect(abs(kept - kept.rounded()) < 1e-3 && (-1e-3...20.001).contains(kept))
    }
    #expect(norms[39] > 0.05 && norms[30...].allSatisfy { abs(log($0 / norms[39])) < 1 })
  }

  @Test(
    "What has no bounded mean is refused by name",
    arguments: [
      ("strategy: median, privacy: {clip: 1, noise: 1}", "median"),
      ("strategy: scaffold, privacy: {clip: 1, noise: 1}", "scaffold uploads control"),
      ("strategy: signsgd, privacy: {clip: 1, noise: 1}", "signsgd uploads signs"),
      ("stragglers: 0.5, epochs: 2, privacy: {clip: 1, noise: 1}", "stragglers"),
      ("attack: little-is-enough, privacy: {clip: 1, noise: 1}", "little-is-enough"),
      ("weighting: samples, privacy: {clip: 1, noise: 1}", "weighting"),
      ("cohort: 3, privacy: {clip: 1, noise: 1, accountant: pld}", "poisson"),
      ("cohort: 2, privacy: {clip: adaptive, noise: 1}", "count deviation"),
    ])
  func refusals(_ setting: String, _ words: String) throws {
    let refusal = try GuardedTrial(setting).refusal()
    #expect(refusal?.kind == .configuration && refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
  }

  @Test(
    "Keys are checked",
    arguments: ["{clip: 1}", "{noise: 1}", "{clip: 0, noise: 1}", "{clip: adaptve, noise: 1}", "{noise: -1}"])
  func keys(_ privacy: String) {
    #expect(throws: ConfigurationError.self) { try GuardedTrial("strategy: fedavg, privacy: \(privacy)").refusal() }
  }
}

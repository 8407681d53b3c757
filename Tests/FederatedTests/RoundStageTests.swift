import Federated
import Testing

@Suite("What is done to updates is a function of the round, not of threads or ranks")
struct RoundStageTests {
  static let settings = [
    "strategy: median, attack: {name: gaussian, share: 0.25}",
    "strategy: trimmed-mean, attack: {name: sign-flip, clients: [1, 7]}, clip: 0.3",
    "strategy: {name: krum, attackers: 2}, attack: label-flip",
    "strategy: {name: multi-krum, attackers: 2}, attack: {name: little-is-enough, share: 0.25}",
    "strategy: {name: bulyan, attackers: 1}, cohort: 9",
    "strategy: geometric-median, attack: {name: not-finite, share: 0.1}",
    "strategy: fedavg, attack: {name: little-is-enough, share: 0.25}, clip: 0.4",
    "strategy: fedavg, privacy: {clip: 0.5, noise: 0.7}, cohort: 5",
    "strategy: fedavg, privacy: {clip: adaptive, noise: 0.2, accountant: pld}, cohort: 5, sampling: poisson",
    "strategy: fedavg, privacy: {clip: 0.5, noise: 0.7}, compression: {up: top-k}",
    "strategy: fedavg, compression: {up: qsgd, down: {name: top-k, ratio: 0.1}}, cohort: 6",
    "strategy: fedavg, compression: {up: {name: top-k, ratio: 0.1}, down: sign-feedback}, cohort: 6",
    "strategy: fedavg, compression: {up: random-k, down: {name: qsgd, levels: 31, bucket: 256}}",
    "strategy: {name: fedprox, mu: 0.1}, compression: {up: terngrad, down: bfloat16}, attack: sign-flip",
  ]

  @Test("Threads and ranks change no bit", arguments: settings)
  func invariance(_ setting: String) throws {
    var trial = GuardedTrial(setting)
    let expected = try trial()
    #expect(expected.models[0] != expected.models[3] && expected.models[3].allSatisfy { $0.isFinite })
    for (threads, ranks) in [(2, 1), (3, 1), (1, 2), (2, 3)] {
      (trial.threads, trial.ranks) = (threads, ranks)
      let outcome = try trial()
      #expect(outcome.bits == expected.bits, "\(threads) threads, \(ranks) ranks")
      #expect(outcome.records == expected.records)
      #expect(outcome.memory == expected.memory)
    }
  }

  @Test("Each setting is one of its own: no two have the same result")
  func different() throws {
    var seen: Set<[UInt32]> = []
    for setting in Self.settings { #expect(seen.insert(try GuardedTrial(setting)().bits).inserted, "\(setting)") }
  }

  @Test("Updates that are not finite are rejected and counted, and the round goes on without them")
  func rejected() throws {
    let outcome = try GuardedTrial("attack: {name: not-finite, clients: [0, 5]}, clip: 1")()
    #expect(outcome.records.allSatisfy { $0.rejected == 2 && $0.updates == 10 && !$0.isSkipped })
    #expect(outcome.models[3].allSatisfy { $0.isFinite } && outcome.models[1] != outcome.models[0])
    let nobody = try GuardedTrial("attack: {name: not-finite, share: 1}")()
    #expect(nobody.records.allSatisfy { $0.rejected == 12 && $0.updates == 0 && $0.isSkipped })
    #expect(nobody.models[3] == nobody.models[0])
  }

  @Test("Clipping bounds what a round can do, and a norm that nobody reaches changes nothing")
  func clipping() throws {
    let free = try GuardedTrial("strategy: fedavg")()
    #expect(try GuardedTrial("strategy: fedavg, clip: 1000")().bits == free.bits)
    let clipped = try GuardedTrial("strategy: fedavg, clip: 0.01")()
    #expect(norm(clipped.firstChange) < 0.01 + 1e-5 && norm(clipped.firstChange) > 0.001)
    #expect(norm(free.firstChange) > 0.1)
  }
}

import Configuration
import Datasets
import Federated
import Foundation
import Testing

@Suite("Servers that wait for nobody")
struct AsynchronousTests {
  static let settings = [
    "strategy: fedavg, asynchronous: {buffer: 4, concurrency: 6}",
    "strategy: fedavg, asynchronous: {buffer: 4, concurrency: 12, most-stale: 0}",
    "strategy: fedavg, asynchronous: {buffer: 4, concurrency: 6, staleness: {name: polynomial, exponent: 2}}",
    "strategy: {name: fedavgm, beta: 0.5}, asynchronous: {buffer: 3, concurrency: 9, staleness: constant}",
    "strategy: {name: fedprox, mu: 0.1}, asynchronous: {buffer: 2, concurrency: 12}, clip: 0.3",
    "strategy: fedadam, asynchronous: {buffer: 4, concurrency: 6}, attack: {name: sign-flip, clients: [1, 7]}",
    "strategy: fedavg, asynchronous: {buffer: 4, concurrency: 6}, devices: {speed: {name: log-normal, median: 50}}",
    "strategy: fedavg, asynchronous: {buffer: 4, concurrency: 8}, compression: {up: {name: top-k, ratio: 0.2}}",
    "strategy: fedavg, asynchronous: {name: fedasync, concurrency: 6}",
    "strategy: fedavg, asynchronous: {name: fedasync, concurrency: 6, staleness: {name: hinge, slope: 2, threshold: 1}}",
    "strategy: fedavg, asynchronous: {name: fedasync, concurrency: 6, mixing: 0.2, staleness: constant, most-stale: 2}",
  ]

  private func trial(_ federated: String, rounds: Int = 6) -> GuardedTrial {
    var trial = GuardedTrial(federated)
    trial.rounds = rounds
    return trial
  }

  @Test("Threads and ranks change no bit", arguments: settings)
  func invariance(_ setting: String) throws {
    var trial = self.trial(setting)
    let expected = try trial()
    #expect(expected.bits != expected.models[0].map(\.bitPattern) && expected.models[6].allSatisfy { $0.isFinite })
    for (threads, ranks) in [(2, 1), (1, 2), (2, 3)] {
      (trial.threads, trial.ranks) = (threads, ranks)
      let outcome = try trial()
      #expect(outcome.bits == expected.bits, "\(threads) threads, \(ranks) ranks")
      #expect(outcome.records == expected.records && outcome.memory == expected.memory)
    }
  }

  @Test("Each setting is one of its own, and some visits are older than others")
  func different() throws {
    var seen: Set<[UInt32]> = []
    for setting in Self.settings {
      let outcome = try trial(setting)()
      #expect(seen.insert(outcome.bits).inserted, "\(setting)")
      if !setting.contains("most-stale: 0") {
        #expect(outcome.records.contains { ($0.others["staleness"] ?? 0) > 0 }, "\(setting)")
      }
    }
  }

  @Test(
    "Where all are in step it is the synchronous server with equal weights, to the bit",
    arguments: ["fedavg", "fedavgm", "{name: fedprox, mu: 0.1}", "fedadagrad", "fedyogi", "fedadam"])
  func inStep(_ strategy: String) throws {
    let expected = try trial("strategy: \(strategy), weighting: clients", rounds: 3)()
    for name in ["polynomial", "constant", "hinge"] {
      let outcome = try trial(
        "strategy: \(strategy), asynchronous: {buffer: 12, concurrency: 12, staleness: \(name)}", rounds: 3)()
      #expect(outcome.bits == expected.bits)
      #expect(outcome.records.allSatisfy { $0.updates == 12 && $0.lost == 0 && $0.others["staleness"] == 0 })
    }
  }

  @Test("A buffer of one with mixing 1 and nothing stale leaves the client's model")
  func oneClient() throws {
    var alone = trial("strategy: fedavg", rounds: 3)
    alone.clients = 1
    let expected = try alone()
    alone.federated = "strategy: fedavg, asynchronous: {name: fedasync, concurrency: 1, mixing: 1}"
    #expect(try alone().bits == expected.bits)
  }

  @Test("An update that no client can make is rejected, and the others of its buffer count")
  func rejected() throws {
    let some = try trial(
      "asynchronous: {buffer: 12, concurrency: 12}, attack: {name: not-finite, clients: [0, 5]}, clip: 1", rounds: 3)()
    #expect(some.records.allSatisfy { $0.rejected == 2 && $0.updates == 10 && !$0.isSkipped })
    #expect(some.models[3].allSatisfy { $0.isFinite } && some.models[1] != some.models[0])
    let nobody = try trial(
      "asynchronous: {name: fedasync, concurrency: 2}, attack: {name: not-finite, share: 1}", rounds: 3)()
    #expect(nobody.records.allSatisfy { $0.isSkipped } && nobody.models[3] == nobody.models[0])
  }

  @Test("Nothing older than most-stale counts, and what is discarded is lost")
  func mostStale() throws {
    for most in [0, 1, 3] {
      let outcome = try trial(
        "asynchronous: {buffer: 1, concurrency: 10, most-stale: \(most)}", rounds: 60)()
      #expect(outcome.records.allSatisfy { ($0.others["staleness"] ?? 0) <= Double(most) && $0.updates == 1 })
      #expect(outcome.records.reduce(0) { $0 + $1.lost } > 0)
    }
  }

  @Test("Slow devices make time pass, and are asked less often")
  func devices() throws {
    let slow = try trial(
      "asynchronous: {buffer: 3, concurrency: 6}, devices: {speed: {name: uniform, minimum: 5, maximum: 50}}")()
    #expect(slow.records.allSatisfy { $0.simulatedSeconds > 0 })
    let ideal = try trial("asynchronous: {buffer: 3, concurrency: 6}")()
    #expect(ideal.records.allSatisfy { $0.simulatedSeconds == 0 } && ideal.bits != slow.bits)
  }

  @Test("Judging clients by their own models changes nothing of rounds")
  func judging() throws {
    let setting = "asynchronous: {buffer: 4, concurrency: 6}, evaluation: {samples: own-labels}"
    var trial = self.trial(setting)
    let expected = try trial()
    trial.judges = true
    #expect(try trial().bits == expected.bits)
  }

  @Test("Digits are learned about as well as by cohorts")
  func convergence() throws {
    let cohorts = try trial("weighting: clients, cohort: 4, epochs: 2", rounds: 60)()
    let buffers = try trial("epochs: 2, asynchronous: {buffer: 4, concurrency: 8}", rounds: 60)()
    let single = try trial("epochs: 2, asynchronous: {name: fedasync, concurrency: 4, mixing: 0.4}", rounds: 240)()
    #expect(cohorts.accuracy > 0.7)
    #expect(abs(buffers.accuracy - cohorts.accuracy) < 0.06, "\(buffers.accuracy), \(cohorts.accuracy)")
    #expect(abs(single.accuracy - cohorts.accuracy) < 0.06, "\(single.accuracy), \(cohorts.accuracy)")
  }

  @Test("Weights are those of the papers, in whole numbers")
  func weights() {
    let kinds: [(Staleness, (Double) -> Double)] = [
      (.polynomial(exponent: 0.5), { 1 / (1 + $0).squareRoot() }),
      (.polynomial(exponent: 2), { 1 / ((1 + $0) * (1 + $0)) }),
      (.constant, { _ in 1 }), (.hinge(slope: 10, threshold: 4), { $0 <= 4 ? 1 : 1 / (10 * ($0 - 4) + 1) }),
    ]
    for (staleness, expected) in kinds {
      for mixing in [nil, 0.6] {
        let options = AsynchronousOptions(buffer: 1, concurrency: 1, staleness: staleness, mixing: mixing)
        #expect(options.weight(age: 0) == Int((65536 * (mixing ?? 1)).rounded(.toNearestOrEven)))
        for age in 0..<100 {
          let weight = Double(options.weight(age: age)) / 65536
          #expect(abs(weight - (mixing ?? 1) * expected(Double(age))) <= 1.0 / 131072)
        }
      }
    }
  }

  static let refused = [
    ("strategy: scaffold, asynchronous: {concurrency: 4, buffer: 2}", "scaffold"),
    ("strategy: fedsgd, asynchronous: {concurrency: 4, buffer: 2}", "fedsgd"),
    ("strategy: median, asynchronous: {concurrency: 4, buffer: 2}", "median"),
    ("strategy: ditto, asynchronous: {concurrency: 4, buffer: 2}", "ditto"),
    ("strategy: fednova, asynchronous: {concurrency: 4, buffer: 2}", "fednova"),
    ("asynchronous: {concurrency: 4, buffer: 2}, privacy: {clip: 1, noise: 1}", "privacy"),
    ("asynchronous: {concurrency: 4, buffer: 2}, secure-aggregation: secagg", "secure-aggregation"),
    ("asynchronous: {concurrency: 4, buffer: 2}, compression: {down: top-k}", "compression.down"),
    ("asynchronous: {concurrency: 4, buffer: 2}, attack: {name: little-is-enough, share: 0.2}", "little-is-enough"),
    ("asynchronous: {concurrency: 4, buffer: 2}, stragglers: 0.5", "stragglers"),
    ("asynchronous: {concurrency: 4, buffer: 2}, weighting: samples", "weighting"),
    ("asynchronous: {concurrency: 4, buffer: 2}, devices: {dropout: 0.1}", "dropout"),
    ("asynchronous: {concurrency: 4, buffer: 2}, devices: {availability: 0.5}", "availability"),
    ("asynchronous: {concurrency: 4, buffer: 13}", "buffer is 13"),
    ("asynchronous: {concurrency: 13, buffer: 2}", "concurrency is 13"),
  ]

  @Test("What needs cohorts is refused in one sentence", arguments: refused)
  func refusals(_ setting: String, _ word: String) throws {
    let error = try #require(try trial(setting).refusal())
    #expect(error.kind == .configuration && error.message.contains(word), "\(error)")
    #expect(error.message.contains("federated.asynchronous") && !error.message.contains("\n"))
  }

  static let misread = [
    ("asynchronous: {buffer: 2}", "concurrency"), ("asynchronous: {concurrency: 0}", "concurrency is 0"),
    ("asynchronous: {concurrency: 2, buffer: 0}", "buffer is 0"),
    ("asynchronous: {name: fedasync, concurrency: 2, buffer: 2}", "`buffer`"),
    ("asynchronous: {name: fedasync, concurrency: 2, mixing: 1.5}", "mixing is 1.5"),
    ("asynchronous: {concurrency: 2, mixing: 0.5}", "`mixing`"),
    ("asynchronous: {concurrency: 2, most-stale: -1}", "most-stale is -1"),
    ("asynchronous: {concurrency: 2, staleness: quadratic}", "quadratic"),
    ("asynchronous: {concurrency: 2, staleness: {name: polynomial, exponent: -1}}", "exponent is -1"),
    ("asynchronous: {concurrency: 2, staleness: {name: hinge, slope: 0}}", "slope is 0"),
    ("asynchronous: {concurrency: 2}, cohort: 2", "cohort"),
    ("asynchronous: {concurrency: 2}, sampling: poisson", "sampling"),
    ("asynchronous: {concurrency: 2}, network: {deadline: 5}", "federated.network"),
  ]

  @Test("Keys that cannot be are named", arguments: misread)
  func keys(_ setting: String, _ word: String) throws {
    let error = #expect(throws: (any Error).self) { try trial(setting).refusal() }
    #expect("\(error.map { "\($0)" } ?? "")".contains(word))
  }
}

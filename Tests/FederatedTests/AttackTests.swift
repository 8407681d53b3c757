import Federated
import Testing

@Suite("Attacks in rounds")
struct AttackTests {
  /// What one client changes in the first round: that of a round in which all others are rejected.
  private func change(of client: Int, clients: Int = 12) throws -> [Float] {
    let others = (0..<clients).filter { $0 != client }.map(String.init).joined(separator: ", ")
    var trial = GuardedTrial("attack: {name: not-finite, clients: [\(others)]}")
    (trial.clients, trial.rounds) = (clients, 1)
    let outcome = try trial()
    #expect(outcome.records[0].updates == 1)
    return outcome.firstChange
  }

  @Test("A share of clients attacks, rounded down, the same ones in every round", arguments: [0, 0.2, 0.25, 0.99, 1])
  func share(_ share: Double) throws {
    var trial = GuardedTrial("attack: {name: not-finite, share: \(share)}")
    (trial.clients, trial.rounds) = (20, 4)
    let outcome = try trial()
    #expect(outcome.records.allSatisfy { $0.rejected == Int(share * 20 + 1e-9) })
  }

  @Test("Who attacks depends on the seed of the key alone, and every client may")
  func drawn() throws {
    // One attacker, that the only client of a cohort is or is not.
    var trial = GuardedTrial("cohort: 1, attack: {name: not-finite, share: 0.09}")
    trial.rounds = 60
    let rejected = try trial().records.reduce(0) { $0 + $1.rejected }
    #expect(rejected > 0 && rejected < 30)
    #expect(try trial().records.reduce(0) { $0 + $1.rejected } == rejected)
  }

  @Test("Flipped signs turn the change round")
  func signs() throws {
    let honest = try GuardedTrial("strategy: fedavg")()
    let flipped = try GuardedTrial("strategy: fedavg, attack: {name: sign-flip, share: 1, scale: 2}")()
    #expect(distance(flipped.firstChange, honest.firstChange.map { -2 * $0 }) < 1e-6)
    #expect(norm(honest.firstChange) > 0.1)
  }

  @Test("Flipped labels are trained on, by attackers only")
  func labels() throws {
    var trial = GuardedTrial("strategy: fedavg, epochs: 2, attack: {name: label-flip, share: 1}")
    (trial.partition, trial.rounds) = ("iid", 10)
    #expect(try trial().accuracy < 0.2)
    trial.federated = "strategy: fedavg, epochs: 2, attack: {name: label-flip, share: 0}"
    let honest = try trial()
    #expect(honest.accuracy > 0.8)
    trial.federated = "strategy: fedavg, epochs: 2"
    #expect(try trial().bits == honest.bits)
  }

  @Test("Judging attackers leaves their labels to nobody else")
  func judged() throws {
    var trial = GuardedTrial("attack: {name: label-flip, share: 0.5}, evaluation: {samples: own-labels}")
    let unjudged = try trial()
    trial.judges = true
    #expect(try trial().bits == unjudged.bits)
  }

  @Test("Noise of attackers has the deviation that it is given, in the mean divided by the clients")
  func noise() throws {
    let honest = try GuardedTrial("strategy: fedavg")()
    let noisy = try GuardedTrial("strategy: fedavg, attack: {name: gaussian, deviation: 6, clients: [4]}")()
    let noise = zip(noisy.firstChange, honest.firstChange).map { $0 - $1 }
    let deviation = norm(noise) / Double(noise.count).squareRoot()
    #expect(abs(deviation - 0.5) < 0.05)
  }

  @Test(
    "A little is enough: attackers send the honest mean less z deviations, to averages and to rules alike",
    arguments: [(nil, 1.0), (0.8, 1.0), (0.8, 0.5), (0, 1)] as [(Double?, Double)])
  func little(_ given: Double?, _ power: Double) throws {
    let honest = try (0..<9).map { try change(of: $0) }
    // The library's own z, with 12 clients of which three attack.
    let z = given ?? Attack.littleIsEnough(clients: 12, attackers: 3)
    var sent: [Float] = []
    for place in honest[0].indices {
      let values = honest.map { Double($0[place]) }
      let mean = values.reduce(0, +) / 9
      let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9).squareRoot()
      var spread = deviation
      if power == 0.5 { spread = deviation.squareRoot() }
      sent.append(Float(mean - z * spread))
    }
    let all = honest + [sent, sent, sent]
    let options = "{name: little-is-enough, clients: [9, 10, 11], power: \(power)\(given.map { ", z: \($0)" } ?? "")}"
    let average = try GuardedTrial("strategy: fedavg, attack: \(options)")()
    let mean = sent.indices.map { place in all.reduce(Float(0)) { $0 + $1[place] } / 12 }
    // Where all honest changes are almost the same, the root of their deviation is all rounding.
    let tolerance: Float = power == 1 ? 1e-5 : 2e-3
    #expect(distance(average.firstChange, mean) < tolerance)
    let median = try GuardedTrial("strategy: median, attack: \(options)")()
    let middle = sent.indices.map { place in
      let sorted = all.map { $0[place] }.sorted()
      return (sorted[5] + sorted[6]) / 2
    }
    #expect(distance(median.firstChange, middle) < tolerance)
  }

  @Test("With fewer than two honest updates there is nothing to hide in")
  func nobodyToHideIn() throws {
    let honest = try GuardedTrial("strategy: fedavg")()
    for share in [0.95, 1] {
      let outcome = try GuardedTrial("strategy: fedavg, attack: {name: little-is-enough, share: \(share)}")()
      #expect(outcome.bits == honest.bits)
    }
  }

  @Test(
    "What does not go together is refused",
    arguments: [
      ("attack: {name: sign-flip, clients: [12]}", "client 12"),
      ("attack: little-is-enough, compression: {up: qsgd}", "compression.up"),
      ("strategy: signsgd, attack: sign-flip", "signsgd uploads none"),
      ("strategy: signsgd, clip: 1", "signsgd uploads none"),
      ("strategy: signsgd, compression: {up: qsgd}", "signsgd sends in its own way"),
      ("strategy: lotteryfl, compression: {down: top-k}", "lotteryfl sends in its own way"),
      ("clip: 1, privacy: {clip: 1, noise: 1}", "both clip"),
    ])
  func refusals(_ setting: String, _ words: String) throws {
    let refusal = try GuardedTrial(setting).refusal()
    #expect(refusal?.kind == .configuration && refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
  }
}

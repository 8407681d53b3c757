import Configuration
import Federated
import Testing

@Suite("Masks change no bit of a simulation, only bytes, and go with sums alone")
struct SecureAggregationOptionsTests {
  /// A model that all strategies can train.
  private func trial(_ federated: String) -> GuardedTrial {
    var trial = GuardedTrial(federated)
    trial.model = "{name: mlp, widths: [], bias: false}"
    return trial
  }

  @Test(
    "Bits are those without masks, and uploads have 8 bytes a scalar and 32 more",
    arguments: [
      "strategy: fedavg", "strategy: scaffold", "strategy: fedadam",
      "strategy: {name: hidenseek, density: 0.4}", "strategy: {name: hidenseek, density: 0.4, mode: votes}",
      "strategy: lotteryfl", "strategy: fedavg, privacy: {clip: adaptive, noise: 0.2}, cohort: 5, sampling: poisson",
      "strategy: fedavg, attack: sign-flip, clip: 0.3, compression: {down: {name: top-k, ratio: 0.1}}",
      "strategy: signsgd",
    ])
  func bits(_ federated: String) throws {
    // Bits that travel may be no numbers.
    func bits<Key>(_ blocks: [Key: [Float]]) -> [Key: [UInt32]] { blocks.mapValues { $0.map(\.bitPattern) } }
    let plain = try trial(federated)()
    for masks in ["secagg", "{name: secagg+, neighbours: 4}"] {
      let masked = try trial(federated + ", secure-aggregation: \(masks)")()
      #expect(masked.bits == plain.bits && bits(masked.memory) == bits(plain.memory))
      #expect(bits(masked.states) == bits(plain.states))
      #expect((masked.bytes.up - 32) % 8 == 0 && masked.bytes.up > plain.bytes.up + 32)
      #expect(masked.records.map(\.bytesUp) == masked.records.map { $0.updates * masked.bytes.up })
      #expect(masked.records.map(\.bytesDown) == plain.records.map(\.bytesDown))
    }
    let none = try trial(federated + ", secure-aggregation: none")()
    #expect(none.bits == plain.bits && none.bytes.up == plain.bytes.up)
  }

  @Test(
    "What does not go together is refused with the key to change",
    arguments: [
      ("strategy: median", "take fedavg"), ("strategy: {name: krum, attackers: 2}", "krum looks at changes one by one"),
      ("strategy: fedavg, attack: {name: little-is-enough, share: 0.25}", "little-is-enough look at all changes"),
      ("strategy: fedavg, compression: {up: qsgd}", "remove federated.compression.up"),
      ("strategy: fedavg, cohort: 1", "take at least 2"),
      ("strategy: fedavg, sampling: poisson, cohort: 1", "take at least 2"),
    ])
  func refused(_ federated: String, _ words: String) throws {
    for masks in ["secagg", "{name: secagg+, neighbours: 4}"] {
      let error = try GuardedTrial(federated + ", secure-aggregation: \(masks)").refusal()
      #expect(error?.kind == .configuration && error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
  }

  @Test("Thresholds are above half of a neighbourhood and not above all of it; complete graphs end at 255 clients")
  func sizes() throws {
    func refusal(_ masks: String, clients: Int = 12) throws -> String? {
      var trial = GuardedTrial("strategy: fedavg, secure-aggregation: \(masks)")
      trial.clients = clients
      return try trial.refusal()?.message
    }
    #expect(try refusal("{name: secagg, threshold: 12}") == nil)
    #expect(try refusal("{name: secagg, threshold: 7}") == nil)
    #expect(try refusal("{name: secagg, threshold: 6}")?.contains("take 7 to 12") == true)
    #expect(try refusal("{name: secagg, threshold: 13}")?.contains("take 7 to 12") == true)
    #expect(try refusal("{name: secagg+, neighbours: 4, threshold: 6}")?.contains("take 3 to 5") == true)
    #expect(try refusal("secagg", clients: 255) == nil)
    #expect(try refusal("secagg", clients: 256)?.contains("secagg+") == true)
    #expect(try refusal("{name: secagg+, neighbours: 254}", clients: 256) == nil)
  }

  @Test("Cohorts that cannot be masked take no updates, and the reason is told")
  func smallCohorts() throws {
    let outcome = try {
      var trial = trial("strategy: fedavg, cohort: 2, sampling: poisson, secure-aggregation: secagg")
      trial.rounds = 12
      return try trial()
    }()
    var counts: Set<Bool> = []
    for (round, record) in outcome.records.enumerated() {
      let isSmall = record.selected < 2
      counts.insert(isSmall)
      #expect(record.isSkipped == isSmall && (record.updates == 0) == isSmall)
      #expect((record.refusal != nil) == (record.selected == 1))
      #expect((outcome.models[round + 1] == outcome.models[round]) == isSmall)
      if record.selected == 1 {
        #expect(record.lost == 1 && record.refusal?.contains("cohort of 1 is too small") == true)
      }
    }
    #expect(counts == [true, false] && outcome.records.contains { $0.selected == 1 })
  }

  @Test("A round's cohort is masked if it has T clients, T is above half of it, and shares go round")
  func refusals() {
    let usual = SecureAggregationOptions()
    #expect((0...300).filter { usual.refusal(cohort: $0) == nil } == Array(2...255))
    #expect((0...20).filter { SecureAggregationOptions(threshold: 5).refusal(cohort: $0) == nil } == Array(5...9))
    #expect((0...300).filter { SecureAggregationOptions(neighbours: 4).refusal(cohort: $0) == nil } == Array(2...300))
    #expect(SecureAggregationOptions(neighbours: 4).refusal(cohort: .max) == nil && usual.refusal(cohort: .max) != nil)
    #expect(usual.refusal(cohort: .min) != nil)
  }

  @Test("The key is read with its kinds and defaults")
  func reading() throws {
    func read(_ value: String) throws -> SecureAggregationOptions? {
      let text = "{federated: {strategy: fedavg, clients: 3, rounds: 1, secure-aggregation: \(value)}}"
      var options = Options(try Node.parse(text, file: "test.yaml"))
      return try options.section("federated", "") { (options) throws(ConfigurationError) in
        try FederatedOptions(&options, clip: nil)
      }.secureAggregation
    }
    #expect(try read("none") == nil && read("secagg") == SecureAggregationOptions())
    #expect(try read("{name: secagg, threshold: 5}") == SecureAggregationOptions(threshold: 5))
    #expect(
      try read("{name: secagg+, neighbours: 8, threshold: 7}") == SecureAggregationOptions(neighbours: 8, threshold: 7))
    for wrong in [
      "secagg+", "{name: secagg+, neighbours: 7}", "{name: secagg, neighbours: 4}", "{name: secagg, threshold: 1}",
    ] {
      #expect(throws: ConfigurationError.self) { try read(wrong) }
    }
    #expect((2...9).map { SecureAggregationOptions().threshold(cohort: $0) } == [2, 3, 3, 4, 5, 5, 6, 7])
    #expect(SecureAggregationOptions(neighbours: 6).threshold(cohort: 100) == 5)
  }
}

import Compression
import Configuration
import Federated
import Tensors
import Testing

@Suite("Compressed uploads and downloads")
struct TransferTests {
  /// Ten weights for each of 64 pixels, then ten biases: a parameter each.
  static let pieces = [640, 10]

  @Test(
    "Bytes are those of the messages of all parameters",
    arguments: [
      ("float16", 2 * 640 + 2 * 10), ("bfloat16", 2 * 640 + 2 * 10),
      ("{name: qsgd, levels: 7, bucket: 512}", 4 * 2 + 320 + 4 + 5), ("terngrad", 4 + 160 + 4 + 3),
      ("{name: top-k, ratio: 0.1}", 8 * 64 + 8), ("{name: random-k, ratio: 0.1}", 4 * 64 + 4),
      ("sign-feedback", 4 + 80 + 4 + 2), ("none", 2600),
    ])
  func bytes(_ up: String, _ expected: Int) throws {
    let outcome = try GuardedTrial("cohort: 5, compression: {up: \(up)}")()
    #expect(outcome.bytes.up == expected)
    #expect(outcome.records.allSatisfy { $0.bytesUp == 5 * expected })
    #expect(outcome.bytes.down == (2600, 2600))
  }

  @Test("Downloads are messages for those who follow, and the model for others")
  func downloads() throws {
    let outcome = try GuardedTrial("compression: {down: {name: top-k, ratio: 0.1}}")()
    #expect(outcome.bytes.down == (8 * 64 + 8, 2600) && outcome.bytes.up == 2600)
  }

  @Test("Without compression nothing is remembered, nor with compressors that leave out nothing in the mean")
  func memory() throws {
    #expect(try GuardedTrial("compression: {up: qsgd}")().states.isEmpty)
    #expect(try GuardedTrial("compression: {up: {name: top-k, feedback: false}}")().states.isEmpty)
    #expect(try GuardedTrial("compression: {up: {name: random-k, unbiased: true}}")().states.isEmpty)
    let outcome = try GuardedTrial("cohort: 4, compression: {up: top-k}")()
    #expect(outcome.states.count > 4 && outcome.states.values.allSatisfy { $0.count == 650 })
  }

  @Test(
    "What a client has sent and what it keeps are what it has changed",
    arguments: ["{name: top-k, ratio: 0.05}", "{name: random-k, ratio: 0.2}", "sign-feedback"])
  func feedback(_ up: String) throws {
    var trial = GuardedTrial("compression: {up: \(up)}")
    (trial.clients, trial.rounds) = (1, 5)
    let outcome = try trial()
    var kept = [Float](repeating: 0, count: 650)
    for round in 0..<5 {
      // The same round without compression, from the same model: the client's change.
      var plain = GuardedTrial("strategy: fedavg")
      (plain.clients, plain.rounds, plain.firstRound, plain.weights) = (1, 1, round, outcome.models[round])
      let change = try plain().firstChange
      for place in kept.indices {
        kept[place] += change[place] - (outcome.models[round + 1][place] - outcome.models[round][place])
      }
      if up.contains("top-k") {
        let sent = zip(outcome.models[round + 1], outcome.models[round]).filter { $0 != $1 }.count
        #expect(sent <= 33)
      }
    }
    let residual = try #require(outcome.states[0])
    #expect(distance(residual, kept) < 1e-5 && norm(kept) > 0.01)
  }

  @Test("Sending everything is federated averaging, and nothing is kept")
  func everything() throws {
    let plain = try GuardedTrial("strategy: fedavg")()
    let sent = try GuardedTrial("strategy: fedavg, compression: {up: {name: top-k, ratio: 1}}")()
    #expect(sent.bits == plain.bits && sent.states.values.allSatisfy { $0.allSatisfy { $0 == 0 } })
  }

  @Test("Clients know the model up to what messages left out, which the next ones make good")
  func known() throws {
    let all = try GuardedTrial("compression: {down: {name: top-k, ratio: 1}}")()
    #expect(distance(all.models[3], try GuardedTrial("strategy: fedavg")().models[3]) < 1e-5)
    var trial = GuardedTrial("compression: {down: {name: top-k, ratio: 0.1}}")
    trial.rounds = 2
    let outcome = try trial()
    // Before round 1 the 64 weights and the bias that had moved most became known.
    let known = try #require(outcome.memory["setting/known-parameters"])
    let moved = known.indices.filter { known[$0] != outcome.models[0][$0] }
    #expect(moved.count == 65 && moved.allSatisfy { abs(known[$0] - outcome.models[1][$0]) < 1e-6 })
    let least = moved.filter { $0 < 640 }.map { abs(outcome.firstChange[$0]) }.min() ?? 0
    #expect((0..<640).filter { abs(outcome.firstChange[$0]) > least * 1.0001 }.count < 64)
  }

  @Test(
    "Compressed federations learn",
    arguments: [
      "{up: {name: top-k, ratio: 0.1}}", "{up: sign-feedback}", "{up: qsgd}", "{up: terngrad}",
      "{down: {name: top-k, ratio: 0.1}}",
      "{up: {name: top-k, ratio: 0.1}, down: {name: qsgd, levels: 15, bucket: 256}}",
    ])
  func learning(_ compression: String) throws {
    var trial = GuardedTrial("strategy: fedavg, epochs: 2, compression: \(compression)")
    (trial.partition, trial.rounds) = ("iid", 20)
    let accuracy = try trial().accuracy
    #expect(accuracy > 0.85)
  }

  @Test(
    "Downloads refuse compressors whose errors grow",
    arguments: ["qsgd", "terngrad", "{name: random-k, unbiased: true}"])
  func growing(_ down: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try GuardedTrial("compression: {down: \(down)}").refusal()
    }
    #expect(error?.message.contains("federated.compression.down") == true)
  }

  @Test("Every compressor of the list can be read and bounds its messages")
  func catalog() throws {
    for kind in CompressorCatalog.all {
      var options = Options(try Node.parse("{}", file: "compressor.yaml"))
      let choice = try kind.read(&options)
      try options.finish()
      #expect(choice.name == kind.name && choice.make(100).byteCount(of: 100) <= 800)
    }
  }
}

import Configuration
import Federated
import Testing

/// Reads `federated: {devices: …}`.
func devices(_ section: String) throws -> DeviceModel {
  var options = Options(try Node.parse("devices: \(section)", file: "a.yaml"), path: "federated")
  let model = try options.section("devices", "") { (options) throws(ConfigurationError) in
    try DeviceModel(options: &options)
  }
  try options.finish()
  return model
}

@Suite("Simulated devices")
struct DeviceModelTests {
  @Test("Without keys devices are always there, come back, and take no time")
  func ideal() throws {
    for model in [DeviceModel.ideal, try devices("{}"), try devices("{speed: unlimited, dropout: 0}")] {
      #expect(model.isIdeal)
      #expect(model.overSelection == 1 && model.deadline == nil)
      #expect((0..<100).allSatisfy { model.isAvailable($0, at: 1e6, round: $0, seed: 1) })
      #expect(!(0..<100).contains { model.vanishes($0, round: $0, seed: 1) })
      #expect(model.seconds(3, samples: 1_000, bytesDown: 1_000, bytesUp: 1_000, seed: 1) == 0)
      var accepted: [Int32] = []
      #expect(model.finish([0, 0, 0], wanted: 3, into: &accepted) == 0)
      #expect(accepted == [0, 1, 2])
      #expect(try model.loaded(clients: 10).isIdeal)
    }
  }

  @Test(
    "Any key makes them less than ideal",
    arguments: [
      "{availability: 0.5}", "{availability: diurnal}", "{dropout: 0.1}", "{speed: 10}", "{bandwidth: {up: 10}}",
      "{bandwidth: {down: {name: pareto, minimum: 3}}}", "{latency: 1}", "{deadline: 5}", "{over-selection: 1.1}",
      "{trace: nowhere.csv}", "{trace: nowhere.csv, availability: always}",
    ])
  func lessThanIdeal(section: String) throws {
    #expect(!(try devices(section).isIdeal))
    // What was resolved reads back as the same.
    var options = Options(try Node.parse(section, file: "a.yaml"))
    _ = try DeviceModel(options: &options)
    var again = Options(options.resolved)
    _ = try DeviceModel(options: &again)
    #expect(again.resolved == options.resolved)
  }

  @Test(
    "What cannot be is refused, naming the key",
    arguments: [
      ("{availability: 0}", "federated.devices.availability is 0"),
      ("{availability: 1.5}", "federated.devices.availability is 1.5"),
      ("{availability: {name: bernoulli}}", "federated.devices.availability.probability is missing"),
      ("{availability: dirunal}", "did you mean `diurnal`?"),
      ("{availability: trace}", "federated.devices.availability is `trace`, and there is no file; name it as trace"),
      ("{availability: {name: diurnal, minimum: 0.5, maximum: 0.4}}", "maximum is 0.4, less than minimum, 0.5"),
      ("{dropout: 1}", "federated.devices.dropout is 1"), ("{speed: 0}", "federated.devices.speed is 0"),
      ("{speed: -3}", "federated.devices.speed is -3"),
      ("{speed: fast}", "is \"fast\"; expected a number, or one of unlimited"),
      ("{speed: {name: uniform, minimum: 3, maximum: 2}}", "maximum is 2.0, less than minimum, 3.0"),
      ("{speed: {name: log-normal}}", "federated.devices.speed.median is missing"),
      ("{speed: {name: pareto, minimum: 1, shape: 0}}", "federated.devices.speed.shape is 0"),
      ("{bandwidth: {sideways: 3}}", "unknown key `sideways`"), ("{latency: .inf}", "federated.devices.latency"),
      ("{deadline: 0}", "federated.devices.deadline is 0"),
      ("{over-selection: 0.9}", "federated.devices.over-selection is 0.9"), ("{speeed: 3}", "did you mean `speed`?"),
    ])
  func refusals(section: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try devices(section) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test(
    "Figures of clients have the median of their distribution, and stay with the client",
    arguments: [
      ("100", 100.0), ("{name: constant, value: 100}", 100), ("{name: log-normal, median: 100}", 100),
      ("{name: log-normal, median: 100, sigma: 2}", 100), ("{name: uniform, minimum: 50, maximum: 150}", 100),
      ("{name: pareto, minimum: 10}", 14.142), ("{name: pareto, minimum: 10, shape: 1}", 20),
    ])
  func medians(quantity: String, median: Double) throws {
    let model = try devices("{speed: \(quantity), bandwidth: {up: \(quantity), down: \(quantity)}}")
    let count = 20_001
    for part in 0..<3 {
      let figures = (0..<count).map { client in
        1
          / model.seconds(
            client, samples: part == 0 ? 1 : 0, bytesDown: part == 1 ? 1 : 0, bytesUp: part == 2 ? 1 : 0, seed: 5)
      }
      // Of so many, the median's logarithm is within σ·√(π/2)/√n·5 < 0.09 for the widest of these.
      let middle = figures.sorted()[count / 2]
      #expect(abs(middle / median - 1) < 0.09)
      #expect(figures.allSatisfy { $0 > 0 && $0.isFinite })
      if part > 0 || quantity == "100" || quantity.contains("constant") { continue }
      #expect(Set(figures).count > count / 2)
      // A client is not equally lucky in everything.
      #expect(
        model.seconds(7, samples: 1, bytesDown: 0, bytesUp: 0, seed: 5)
          != model.seconds(7, samples: 0, bytesDown: 1, bytesUp: 0, seed: 5))
      #expect(
        model.seconds(7, samples: 1, bytesDown: 0, bytesUp: 0, seed: 5)
          != model.seconds(7, samples: 1, bytesDown: 0, bytesUp: 0, seed: 6))
    }
    #expect(
      model.seconds(7, samples: 10, bytesDown: 20, bytesUp: 30, seed: 5)
        == model.seconds(7, samples: 10, bytesDown: 20, bytesUp: 30, seed: 5))
  }

  @Test("A visit is latency, download, training and upload")
  func visit() throws {
    let model = try devices("{latency: 0.5, speed: 100, bandwidth: {up: 1000, down: 4000}}")
    #expect(model.seconds(0, samples: 250, bytesDown: 2_000, bytesUp: 3_000, seed: 1) == 0.5 + 0.5 + 2.5 + 3)
  }

  @Test("Clients are there and vanish as often as was asked, and independently", arguments: [0.1, 0.5, 0.9])
  func frequencies(share: Double) throws {
    let model = try devices("{availability: \(share), dropout: \(share)}")
    var there = 0
    var gone = 0
    var both = 0
    let (clients, rounds) = (200, 200)
    for client in 0..<clients {
      for round in 0..<rounds {
        let isThere = model.isAvailable(client, at: 0, round: round, seed: 9)
        let vanishes = model.vanishes(client, round: round, seed: 9)
        #expect(isThere == model.isAvailable(client, at: 55, round: round, seed: 9))
        there += isThere ? 1 : 0
        gone += vanishes ? 1 : 0
        both += isThere && vanishes ? 1 : 0
      }
    }
    let count = Double(clients * rounds)
    let tolerance = 5 * (share * (1 - share) / count).squareRoot()
    #expect(abs(Double(there) / count - share) < tolerance)
    #expect(abs(Double(gone) / count - share) < tolerance)
    #expect(abs(Double(both) / count - share * share) < tolerance)
  }

  @Test("By day more are there than by night; with time zones as many at any hour", arguments: [0.0, 1.0])
  func diurnal(spread: Double) throws {
    let model = try devices(
      "{availability: {name: diurnal, minimum: 0.2, maximum: 0.8, period: 1000, spread: \(spread)}}")
    func share(at seconds: Double) -> Double {
      Double((0..<20_000).filter { model.isAvailable($0, at: seconds, round: Int(seconds), seed: 3) }.count) / 20_000
    }
    let expected = spread == 0 ? [0.8, 0.5, 0.2, 0.5] : [0.5, 0.5, 0.5, 0.5]
    for (hour, expected) in expected.enumerated() {
      #expect(abs(share(at: Double(hour) * 250) - expected) < 0.02)
      #expect(abs(share(at: Double(hour) * 250 + 7_000) - expected) < 0.02)
    }
  }

  @Test("As many are selected as over-selection says, and never more than there are")
  func overSelection() throws {
    #expect(try devices("{over-selection: 1.1}").selected(wanted: 100, of: 1_000) == 110)
    #expect(try devices("{over-selection: 1.3}").selected(wanted: 5, of: 1_000) == 7)
    #expect(try devices("{over-selection: 1.3}").selected(wanted: 5, of: 6) == 6)
    #expect(DeviceModel.ideal.selected(wanted: 7, of: 1_000) == 7)
    #expect(try devices("{over-selection: 2}").selected(wanted: 0, of: 10) == 0)
  }

  @Test(
    "The first to finish count, of equals the first of the cohort, in cohort order",
    arguments: [
      // Durations, wanted, deadline, places that count, seconds.
      ([3, 1, 2, 5], 2, nil, [1, 2], 2), ([3, 1, 2, 5], 4, nil, [0, 1, 2, 3], 5),
      ([3, 1, 2, 5], 9, nil, [0, 1, 2, 3], 5), ([2, 2, 2, 2], 2, nil, [0, 1], 2),
      ([3, 2, 1, 2, 2], 3, nil, [1, 2, 3], 2), ([3, 1, .infinity, 5], 3, nil, [0, 1, 3], 5),
      ([3, 1, .infinity, 5], 4, nil, [0, 1, 3], 5), ([3, 1, 2, 5], 4, 3, [0, 1, 2], 3),
      ([3, 1, 2, 5], 3, 3.5, [0, 1, 2], 3), ([3, 1, 2, 5], 4, 2.5, [1, 2], 2.5), ([3, 4], 2, 1, [], 1),
      ([.infinity, .infinity], 2, nil, [], 0), ([.infinity], 1, 7, [], 7), ([], 3, 7, [], 0), ([1, 2], 0, nil, [], 0),
    ] as [([Double], Int, Double?, [Int32], Double)])
  func finishing(durations: [Double], wanted: Int, deadline: Double?, places: [Int32], seconds: Double) {
    var model = DeviceModel.ideal
    model.deadline = deadline
    var accepted: [Int32] = [99, 98, 97, 96, 95, 94]
    #expect(model.finish(durations, wanted: wanted, into: &accepted) == seconds)
    #expect(accepted == places)
  }

  @Test("Keys are described with their defaults and choices")
  func documentation() {
    let keys = Options.document(path: "federated.devices") { (options) throws(ConfigurationError) in
      _ = try DeviceModel(options: &options)
    }
    let names = keys.map(\.key)
    #expect(
      names.starts(with: [
        "federated.devices.trace", "federated.devices.availability", "federated.devices.dropout",
        "federated.devices.speed", "federated.devices.bandwidth", "federated.devices.bandwidth.up",
      ]))
    let speed = keys.first { $0.key == "federated.devices.speed" }
    #expect(speed?.choices == ["unlimited", "constant", "log-normal", "uniform", "pareto"])
  }
}

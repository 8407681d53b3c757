import FederatedNetwork
import Foundation
import Testing

@Suite("What a status page tells programs") struct StatusTextTests {
  private func ask(_ path: String, _ status: FederationStatus) throws -> RawHTTP.Answer {
    let server = try StatusServer(at: .parse("http://127.0.0.1:0"), showing: StatusBoard(status))
    defer { withExtendedLifetime(server) {} }
    return try RawHTTP.ask(server.address.port, path)
  }

  @Test("JSON says everything that the status does") func json() throws {
    let status = FederationStatus.sample(clients: 30)
    let json = try ask("/status.json", status).json
    for (key, value) in ["name": status.name, "strategy": "fedavg", "state": "in round", "digest": status.digest] {
      #expect(json[key] as? String == value)
    }
    let numbers = [
      "round": 37, "rounds": 50, "updates": 377, "rejected": 3, "lost": 11, "skipped": 1, "bytes_up": status.bytesUp,
      "bytes_down": status.bytesDown, "wire_bytes_in": 151 << 20, "wire_bytes_out": 160 << 20, "clients_total": 30,
      "clients_matching": 30, "online": status.online,
    ]
    for (key, value) in numbers { #expect(json[key] as? Int == value, "\(key)") }
    #expect((json["privacy"] as? [String: Any])?["epsilon"] as? Double == 2.3456)
    #expect((json["cohort"] as? [String: Any])?["arrived"] as? Int == 7)
    // Its deadline is long past.
    #expect((json["cohort"] as? [String: Any])?["deadline_seconds"] as? Double == 0)
    let history = try #require(json["history"] as? [String: Any])
    #expect(history["round"] as? [Int] == Array(1...37))
    #expect((history["loss"] as? [Double])?.count == 37)
    #expect((history["accuracy"] as? [Any])?.filter { $0 is NSNull }.count == 18)
    let states = try #require(json["client_states"] as? [String: Int])
    #expect(states.values.reduce(0, +) == 30 && states.count == ClientStatus.State.allCases.count)
    let clients = try #require(json["clients"] as? [[String: Any]])
    #expect(clients.map { $0["name"] as? String } == status.clients.map(\.name))
    #expect(clients.map { $0["state"] as? String } == status.clients.map(\.state.rawValue))
    #expect(clients[3]["last_seen"] is NSNull)
  }

  @Test("JSON without data has its keys, and numbers that it cannot say are null") func empty() throws {
    var status = FederationStatus.sample(clients: 0, rounds: 0)
    let json = try ask("/status.json", status).json
    #expect(json["accuracy"] is NSNull)
    #expect((json["clients"] as? [Any])?.isEmpty == true)
    #expect(json["privacy"] == nil && json["cohort"] == nil && json["wire_bytes_in"] == nil)
    status.history.append(RoundHistory.Point(round: 1, loss: .nan, accuracy: .infinity, bytesUp: 0, bytesDown: 0))
    let answer = try ask("/status.json", status)
    #expect(answer.json["round"] as? Int == 0)
    #expect(answer.json["loss"] is NSNull)
  }

  @Test(
    "strings survive JSON, and cannot end a script, a tag or a line of it",
    arguments: [
      FederationStatus.hostileName, "\u{0}\u{1F}\u{7F}\u{80}\u{FEFF}\u{FFFF}\u{2029}", "é ü 漢字 😀 e\u{301}",
      "\r\n\t\\u0041", "",
    ])
  func strings(_ text: String) throws {
    var status = FederationStatus.sample(clients: 1)
    status.clients[0].name = text
    status.name = text
    let answer = try ask("/status.json", status)
    #expect(answer.json["name"] as? String == text)
    #expect((answer.json["clients"] as? [[String: Any]])?[0]["name"] as? String == text)
    #expect(!answer.body.contains { "<>&\u{2028}".contains($0) })
    #expect(answer.body.unicodeScalars.filter { $0.value < 0x20 } == ["\n"])
    let metrics = try MetricsParser(ask("/metrics", status).body)
    #expect(metrics.samples["nndist_federation_info{name=\"\(text)\",strategy=\"fedavg\"}"] == 1)
  }

  @Test(
    "of clients one can ask some",
    arguments: [
      ("?from=3&count=4", Array(3..<7)), ("?count=0", []), ("?from=99", []), ("?state=done&count=2", nil),
    ] as [(String, [Int]?)])
  func selection(_ query: String, _ numbers: [Int]?) throws {
    let status = FederationStatus.sample(clients: 30)
    let json = try ask("/status.json" + query, status).json
    let expected = numbers ?? Array(status.clients.filter { $0.state == .done }.prefix(2).map(\.number))
    #expect((json["clients"] as? [[String: Any]])?.compactMap { $0["number"] as? Int } == expected)
    #expect(json["clients_total"] as? Int == 30)
    #expect(json["clients_matching"] as? Int == (numbers == nil ? status.clients.count { $0.state == .done } : 30))
  }

  @Test(
    "a selection that makes no sense is refused", arguments: ["?from=-1", "?count=many", "?state=asleep", "?state="])
  func nonsense(_ query: String) throws {
    #expect(try ask("/status.json" + query, .sample(clients: 2)).status == 400)
  }

  @Test("Prometheus's text is in its grammar and says the same") func metrics() throws {
    let status = FederationStatus.sample(clients: 30)
    let metrics = try MetricsParser(ask("/metrics", status).body)
    let expected: [String: Double] = [
      "round": 37, "rounds": 50, "updates_total": 377, "updates_rejected_total": 3, "updates_lost_total": 11,
      "rounds_skipped_total": 1, "payload_up_bytes_total": Double(status.bytesUp), "cohort_needed": 10,
      "cohort_arrived": 7, "privacy_epsilon": 2.3456, "privacy_delta": 1e-5, "state{state=\"in round\"}": 1,
      "state{state=\"finished\"}": 0, "clients{state=\"done\"}": Double(status.clients.count { $0.state == .done }),
    ]
    for (name, value) in expected { #expect(metrics.samples["nndist_federation_" + name] == value, "\(name)") }
    #expect(metrics.samples["nndist_federation_accuracy"] == status.history.accuracy)
    let bare = try MetricsParser(ask("/metrics", .sample(clients: 0, rounds: 0)).body)
    #expect(bare.samples["nndist_federation_privacy_epsilon"] == nil && bare.types["nndist_federation_accuracy"] == nil)
    #expect(bare.samples["nndist_federation_round"] == 0)
  }

  @Test("a metric may be no number") func notFinite() throws {
    var status = FederationStatus.sample(clients: 1)
    status.history.append(RoundHistory.Point(round: 38, loss: -.infinity, accuracy: .nan, bytesUp: 0, bytesDown: 0))
    let metrics = try MetricsParser(ask("/metrics", status).body)
    #expect(metrics.samples["nndist_federation_accuracy"]?.isNaN == true)
    #expect(metrics.samples["nndist_federation_loss"] == -.infinity)
  }

  @Test("ten thousand clients and a hundred thousand rounds have their places") func large() throws {
    let status = FederationStatus.sample(clients: 10_000, rounds: 100_000, of: 100_000)
    let answer = try ask("/status.json", status)
    #expect((answer.json["clients"] as? [Any])?.count == 10_000)
    let history = try #require(answer.json["history"] as? [String: Any])
    #expect(history["recorded"] as? Int == 100_000)
    let rounds = try #require(history["round"] as? [Int])
    #expect(rounds.count <= RoundHistory.limit && rounds.last == 100_000)
  }
}

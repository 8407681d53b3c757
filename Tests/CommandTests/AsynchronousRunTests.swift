import Foundation
import Testing

@Suite("Runs of servers that wait for nobody")
struct AsynchronousRunTests {
  static let kinds = [
    "{buffer: 3, concurrency: 5}", "{name: fedasync, concurrency: 5, staleness: {name: hinge, slope: 2, threshold: 1}}",
  ]

  /// The small federation without cohorts.
  private func folder(_ kind: String, rounds: Int = 8) throws -> CommandLineTool {
    try FederatedTrial.folder(
      FederatedTrial.configuration.replacingOccurrences(of: "cohort: 5", with: "asynchronous: \(kind)")
        .replacingOccurrences(of: "rounds: 4", with: "rounds: \(rounds)"))
  }

  @Test("threads, simulated ranks, mpirun, and a resumed run have one digest and one ledger", arguments: kinds)
  func invariance(_ kind: String) throws {
    let tool = try folder(kind)
    let alone = try tool.run("simulate", "federation.yaml", "--json", "--run", "alone")
    alone.expectSuccess()
    #expect(alone.json["rounds"] as? Int == 8)
    let history = try tool.federatedHistory("alone")
    func expectSame(_ way: Way, _ run: String, _ more: [String] = []) throws {
      let other = try way.train(tool, ["federation.yaml", "--run", run] + more)
      other.expectSuccess()
      #expect(other.digest == alone.digest, "\(way): \(other.command)")
      let found = try tool.federatedHistory(run)
      #expect(found == history, "\(way): \(other.command)")
    }
    for way in [
      Way(transport: .threads, ranks: 1, threads: 2), Way(transport: .threads, ranks: 3, threads: 2),
      Way(transport: .window, ranks: 2, threads: 1),
    ] { try expectSame(way, "\(way)") }
    try tool.rewind("alone", to: 4)
    try expectSame(Way(transport: .threads, ranks: 3, threads: 1), "alone", ["--resume"])
    try tool.rewind("alone", to: 6)
    try expectSame(Way(transport: .threads, ranks: 1, threads: 1), "alone", ["--resume"])
  }

  @Test("a run's clients.jsonl makes it again, and verify does", arguments: kinds)
  func ledger(_ kind: String) throws {
    let tool = try folder(kind)
    let alone = try tool.run("simulate", "federation.yaml", "--json", "--run", "alone")
    alone.expectSuccess()
    #expect(try tool.text("alone/clients.jsonl").contains("\"versions\""))
    let again = try tool.run(
      "simulate", "federation.yaml", "--json", "--run", "again", "--set", "federated.participation=alone/clients.jsonl")
    again.expectSuccess()
    #expect(again.digest == alone.digest)
    let verified = try tool.run("verify", "alone", "--json")
    verified.expectSuccess()
    #expect(verified.json["confirmed"] as? Bool == true)
    // The ledger of rounds with cohorts has no versions, and one that ends has none of what follows.
    try FederatedTrial.configuration.write(toFile: tool.path("cohorts.yaml"), atomically: true, encoding: .utf8)
    try tool.run("simulate", "cohorts.yaml", "--run", "cohorts").expectSuccess()
    try tool.run(
      "simulate", "federation.yaml", "--set", "federated.participation=cohorts/clients.jsonl", "--run", "other"
    ).expectFailure(4, "federated.participation", "versions of update 1")
    try tool.run(
      "simulate", "federation.yaml", "--set", "federated.participation=alone/clients.jsonl", "--set",
      "federated.rounds=9",
      "--run", "longer"
    ).expectFailure(4, "federated.participation", "versions of update 9")
  }

  @Test("a server that is killed again and again comes to the simulation of its ledger", arguments: kinds)
  func killed(_ kind: String) throws {
    let tool = try folder(kind, rounds: 60)
    var address = "tcp://127.0.0.1:0"
    func serve() throws -> RunningCommand {
      let server = try tool.start(
        "server", "federation.yaml", "--listen", address, "--insecure", "--run", "server", "--resume", "--json")
      #expect(server.wait { server.errors.contains("listening on ") }, "\(server.errors)")
      let line = server.errors.components(separatedBy: "listening on ").dropFirst().first ?? ""
      address = String(line.prefix { !$0.isNewline })
      return server
    }
    func rounds() -> Int { ((try? tool.text("server/clients.jsonl")) ?? "").split(separator: "\n").count }
    var server = try serve()
    let clients = try (0..<9).map { client in
      try tool.start(
        "client", "federation.yaml", "--connect", address, "--client", "\(client)", "--insecure", "--run",
        "client\(client)", "--json", "--patience", "120")
    }
    for round in [5, 20, 40] {
      #expect(server.wait { rounds() >= round })
      for process in RunningProcess.below(server.identifier) { kill(process.identifier, SIGKILL) }
      #expect(server.result().status == 137)
      server = try serve()
    }
    let served = server.result()
    served.expectSuccess()
    for client in clients {
      let end = client.result()
      end.expectSuccess()
      #expect(end.json["parameters_digest"] as? String == served.digest)
    }
    let again = try tool.run(
      "simulate", "federation.yaml", "--json", "--run", "again", "--set", "federated.participation=server/clients.jsonl"
    )
    again.expectSuccess()
    #expect(again.digest == served.digest && again.json["updates"] as? Int == served.json["updates"] as? Int)
  }
}

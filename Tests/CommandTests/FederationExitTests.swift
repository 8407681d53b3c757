import Foundation
import Testing

@Suite("Servers and clients end with the documented code", .serialized)
struct FederationExitTests {
  /// Rounds that no test waits for, of five clients.
  static let endless =
    ["federation.yaml"]
    + ["clients=5", "cohort=5", "rounds=1000000", "evaluate=1000", "digest=never"]
    .flatMap { ["--set", "federated.\($0)"] }

  private func endless(_ changes: String..., hasKeys: Bool = true) throws -> NetworkFederation {
    try NetworkFederation(
      try FederatedTrial.folder(), Self.endless + changes.flatMap { ["--set", $0] }, clients: 5, hasKeys: hasKeys)
  }

  private func copy(_ tool: CommandLineTool, _ from: String, _ to: String) throws {
    try? FileManager.default.removeItem(atPath: tool.path(to))
    try FileManager.default.copyItem(atPath: tool.path(from), toPath: tool.path(to))
  }

  @Test("wrong keys are exit 11, and the server's log names those that it does not admit")
  func keys() throws {
    let federation = try endless()
    let tool = federation.tool
    try federation.startServer()
    try tool.run("keys", "others", "--clients", "5", "--quiet").expectSuccess()
    func client(_ number: Int, _ keys: String, _ run: String) throws -> CommandResult {
      try tool.run(
        "client", "federation.yaml", "--connect", federation.address, "--client", "\(number)", "--keys", keys, "--run",
        run,
        "--quiet", "--patience", "60")
    }
    // A key that is not listed.
    for part in ["secret", "public"] {
      try FileManager.default.createDirectory(atPath: tool.path("unknown/clients"), withIntermediateDirectories: true)
      try copy(tool, "others/clients/0.\(part)", "unknown/clients/0.\(part)")
    }
    try copy(tool, "keys/server.public", "unknown/server.public")
    try client(0, "unknown", "a").expectFailure(11, "client 0", "key folder")
    let key = try tool.text("unknown/clients/0.public").split(separator: "\n")[0]
    #expect(federation.waitForLog("key \(key) is not listed"))
    // Another server's key.
    try copy(tool, "keys", "other-server")
    try copy(tool, "others/server.public", "other-server/server.public")
    try client(0, "other-server", "b").expectFailure(11, "server.public")
    #expect(federation.waitForLog("refused a connection from 127.0.0.1: it has no key, another server's"))
    // The key of another client.
    try copy(tool, "keys", "swapped")
    for part in ["secret", "public"] { try copy(tool, "keys/clients/1.\(part)", "swapped/clients/0.\(part)") }
    for part in ["secret", "public"] {
      try FileManager.default.removeItem(atPath: tool.path("swapped/clients/1.\(part)"))
    }
    try client(0, "swapped", "c").expectFailure(11, "client 0 is not admitted", "client 1's")
    #expect(federation.waitForLog("refused a greeting"))
    // Halves of two pairs, and a number that has no key.
    try copy(tool, "keys/clients/0.public", "swapped/clients/0.public")
    try client(0, "swapped", "d").expectFailure(4, "0.secret", "not of one pair")
    try client(9, "keys", "e").expectFailure(4, "clients/9.secret", "nndist keys")
    // What listens without keys, or with them, is told from the other.
    func strangers() -> Int { federation.log.components(separatedBy: "refused a connection from 127.0.0.1: it ").count }
    let before = strangers()
    try tool.run(
      "client", "federation.yaml", "--connect", federation.address, "--client", "0", "--insecure", "--run", "f",
      "--quiet"
    ).expectFailure(11, "breaks off the greeting")
    #expect(federation.server.wait { strangers() > before })
    #expect(federation.server.isRunning && federation.rounds == 0)
  }

  @Test("a client beyond the federation, with and without keys")
  func beyond() throws {
    let federation = try NetworkFederation(try FederatedTrial.folder(), Self.endless, clients: 7)
    try federation.startServer()
    try federation.startClient(6).result().expectFailure(11, "client 6 is not admitted", "5 clients")
    let insecure = try endless(hasKeys: false)
    try insecure.startServer()
    try insecure.startClient(5).result().expectFailure(11, "client 5 is not admitted", "5 clients")
  }

  @Test(
    "what is said wrongly is exit 2, and leaves nothing",
    arguments: [
      (["server", "--listen", "tcp://0.0.0.0:9000", "--insecure"], "loopback"),
      (["server", "--listen", "tcp://[::]:9000", "--insecure"], "loopback"),
      (["server", "--listen", "tcp://*:9000", "--insecure"], "loopback"),
      (["server", "--listen", "tcp://127.0.0.1:0"], "--keys is missing"),
      (["server", "--insecure"], "--listen is missing"),
      (["server", "--listen", "127.0.0.1:9000", "--insecure"], "expected tcp://HOST:PORT"),
      (["server", "--listen", "tcp://127.0.0.1:99999", "--insecure"], "expected tcp://HOST:PORT"),
      (["server", "--listen", "tcp://127.0.0.1:0", "--insecure", "--keys", "keys"], "give one of them"),
      (
        ["server", "--listen", "tcp://0.0.0.0:9000", "--keys", "keys", "--fixed-noise"],
        "--fixed-noise goes on loopback"
      ),
      (["server", "--listen", "tcp://127.0.0.1:0", "--insecure", "--status", "https://127.0.0.1:1"], "not encrypted"),
      (["client", "--connect", "tcp://10.9.8.7:9000", "--client", "0", "--insecure"], "loopback"),
      (["client", "--connect", "tcp://127.0.0.1:9000", "--client", "0"], "--keys is missing"),
      (["client", "--connect", "tcp://127.0.0.1:9000", "--insecure"], "--client is missing"),
      (["client", "--connect", "tcp://127.0.0.1:9000", "--client", "-1", "--insecure"], "--client"),
      (["client", "--connect", "tcp://127.0.0.1:0", "--client", "0", "--insecure"], "expected tcp://HOST:PORT"),
      (
        ["client", "--connect", "tcp://127.0.0.1:9000", "--client", "0", "--insecure", "--patience", "x"], "--patience"
      ),
    ])
  func usage(_ words: [String], _ remedy: String) throws {
    let tool = try FederatedTrial.folder()
    try tool.run([words[0], "federation.yaml"] + words.dropFirst()).expectFailure(2, remedy)
    #expect(tool.names() == ["federation.yaml"])
  }

  @Test("a server of masked rounds follows no other run's cohorts: exit 3")
  func participation() throws {
    let tool = try FederatedTrial.folder()
    try tool.run("simulate", "federation.yaml", "--run", "other", "--quiet").expectSuccess()
    let changes = ["federated.participation=other/clients.jsonl", "federated.secure-aggregation=secagg"]
    try tool.run(
      ["server", "federation.yaml", "--listen", "tcp://127.0.0.1:0", "--insecure"] + changes.flatMap { ["--set", $0] }
    ).expectFailure(3, "federated.participation")
  }

  @Test("a configuration without a federation is exit 3; ports and the status page's that are taken are exit 9")
  func start() throws {
    let federation = try endless()
    let tool = federation.tool
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    try tool.run("server", "digits.yaml", "--listen", "tcp://127.0.0.1:0", "--keys", "keys").expectFailure(
      3, "federated")
    try federation.startServer("--status", "http://127.0.0.1:0")
    try tool.run(["server"] + federation.words + ["--listen", federation.address, "--keys", "keys", "--run", "b"])
      .expectFailure(9, "cannot listen on \(federation.address)", "another address or port")
    let page = federation.server.errors.components(separatedBy: "status at ").dropFirst().first?.split(separator: "\n")
      .first
    try tool.run(
      ["server"] + federation.words
        + ["--listen", "tcp://127.0.0.1:0", "--keys", "keys", "--run", "c", "--status", String(try #require(page))]
    ).expectFailure(9, "in use")
    #expect(!tool.exists("b") && !tool.exists("c"))
  }

  @Test(
    "a client refuses what goes beyond its own limits: exit 9; the server goes on without it where a deadline allows",
    arguments: [
      ("client.epochs=1", "epochs"), ("client.unclipped=false", "unclipped"), ("client.clip=1", "client.clip"),
      ("client.unmasked=false", "unmasked"),
      ("client.memory=1", "memory"),
    ])
  func limits(_ limit: String, _ word: String) throws {
    let wide = word == "memory" ? ["model.widths=[600]"] : []
    let federation = try NetworkFederation(
      try FederatedTrial.folder(),
      Self.endless + (["federated.network.deadline=3", "federated.rounds=2"] + wide).flatMap { ["--set", $0] },
      clients: 5)
    try federation.startServer()
    try federation.startClient(2, "--set", limit).result().expectFailure(9, "task is refused", word)
    for client in [0, 1, 3, 4] { try federation.startClient(client) }
    let result = federation.server.result()
    result.expectSuccess()
    #expect(try federation.ledger().map { $0.clients("lost") }.allSatisfy { $0.contains(2) })
    #expect(try federation.simulate(repeating: true).digest == result.digest)
  }

  @Test("other data than the partition has is exit 3 on the client, and said in the server's log")
  func otherData() throws {
    let tool = try FederatedTrial.folder()
    for (name, rows) in [("all", 200), ("own", 30)] {
      let lines = (0..<rows).map { row in "\(row % 7),\(row % 11),\(row * row % 13),\(row % 3)" }
      try tool.write(lines.joined(separator: "\n"), to: "\(name).csv")
    }
    let federation = try NetworkFederation(
      tool, Self.endless + ["--set", "data={format: csv, path: all.csv}", "--set", "model.widths=[4]"], clients: 5)
    try federation.startServer()
    try federation.startClient(1, "--data", "own.csv").result().expectFailure(
      3, "samples", "federated.network.largest-client")
    #expect(federation.waitForLog("is refused: it has"))
    try federation.startClient(2, "--data", "none.csv").result().expectFailure(4, "none.csv")
    #expect(federation.server.isRunning)
  }

  @Test("a server that does not come is exit 6 after --patience, and so is one that goes")
  func patience() throws {
    let federation = try endless()
    try federation.startServer()
    let running = try federation.startClient(0, patience: 3)
    #expect(federation.waitForLog("client 0 (127.0.0.1) is there"))
    NetworkFederation.signal(federation.server, SIGKILL)
    running.result().expectLastWord(6, "no server at \(federation.address) for 3 seconds")
    try federation.startClient(1, patience: 1).result().expectLastWord(6, "no server at")
  }

  @Test(
    "SIGINT and SIGTERM are exit 10, idle or at work, and --resume comes to the undisturbed result",
    arguments: [SIGINT, SIGTERM])
  func signals(_ signal: Int32) throws {
    let federation = try endless()
    // Idle: nobody is there.
    try federation.startServer()
    NetworkFederation.signal(federation.server, signal)
    federation.server.result().expectLastWord(10, "signal", "--resume")
    try federation.startServer("--resume")
    let idle = try federation.startClient(0)
    #expect(federation.waitForLog("client 0 (127.0.0.1) is there"))
    NetworkFederation.signal(idle, signal)
    idle.result().expectLastWord(10, "signal", "--resume")
    // At work.
    for client in 0..<5 { try federation.startClient(client) }
    #expect(federation.server.wait { federation.rounds >= 3 })
    let one = federation.commands[3]!
    NetworkFederation.signal(one, signal)
    one.result().expectLastWord(10, "signal", "--resume")
    try federation.startClient(3)
    let seen = federation.rounds
    #expect(federation.server.wait { federation.rounds >= seen + 3 })
    NetworkFederation.signal(federation.server, signal)
    federation.server.result().expectLastWord(10, "signal", "--resume")
    #expect(!federation.tool.exists("server/result.json"))
    // Clients go on with the server that comes back, and with fewer rounds to go.
    let rounds = federation.rounds + 5
    for command in federation.commands.values { #expect(command.isRunning) }
    for command in federation.commands.values { NetworkFederation.signal(command, signal) }
    for command in federation.commands.values { command.result().expectLastWord(10, "signal") }
    let end = ["--set", "federated.rounds=\(rounds)"]
    try federation.startServer(flags: ["--resume"] + end)
    for client in 0..<5 { try federation.startClient(client) }
    let result = federation.expectEnd()
    #expect(result.json["rounds"] as? Int == rounds)
    let whole = try federation.tool.run(["simulate"] + federation.words + end + ["--json", "--quiet"])
    #expect(result.digest == whole.digest && result.digest.count == 64)
  }

  @Test("a second process for a client takes its place; the first is exit 9")
  func second() throws {
    let federation = try endless()
    try federation.startServer()
    let first = try federation.startClient(2)
    #expect(federation.waitForLog("client 2 (127.0.0.1) is there"))
    let words = ["--connect", federation.address, "--client", "2", "--keys", "keys", "--run", "another", "--quiet"]
    let program = try CommandLineTool.executable().path
    let second = try federation.tool.start(program: [program, "client"] + federation.words + words)
    first.result().expectLastWord(9, "another process speaks for client 2")
    #expect(second.isRunning && federation.server.isRunning)
    NetworkFederation.signal(second, SIGTERM)
    second.result().expectLastWord(10)
    // In the same run directory it waits for the lock, and goes.
    let third = try federation.startClient(2)
    #expect(
      federation.server.wait { federation.log.components(separatedBy: "client 2 (127.0.0.1) is there").count == 3 })
    let run = ["--run", "client2", "--resume", "--keys", "keys", "--connect", federation.address, "--client", "2"]
    try federation.tool.run(["client"] + federation.words + run).expectFailure(9, "client2")
    #expect(third.isRunning)
    try federation.tool.run(["client"] + federation.words + run.filter { $0 != "--resume" }).expectFailure(
      3, "--resume")
  }

  @Test("a client whose disk is full is exit 9, and takes part again from another")
  func disk() throws {
    let federation = try endless("model.widths=[600]", "federated.rounds=2")
    let tool = federation.tool
    try FileManager.default.createDirectory(atPath: tool.path("disk"), withIntermediateDirectories: true)
    let mount = "mount -t tmpfs -o size=64k none disk"
    guard try tool.run(program: ["unshare", "--mount", "sh", "-c", mount]).status == 0 else { return }
    try federation.startServer()
    let program = try CommandLineTool.executable().path
    let words = ["--connect", federation.address, "--client", "2", "--keys", "keys", "--run", "disk/run", "--quiet"]
    try tool.run(
      program: ["unshare", "--mount", "sh", "-c", "\(mount) && exec \"$@\"", "sh", program, "client"] + federation.words
        + words
    ).expectFailure(9, "cannot keep the client's state", "No space left")
    for client in 0..<5 { try federation.startClient(client) }
    #expect(federation.expectEnd().digest == (try federation.simulate().digest))
  }

  @Test("a finished run prints its JSON again, and serves nobody")
  func finished() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), ["federation.yaml", "--set", "federated.clients=5", "--set", "federated.cohort=5"],
      clients: 5)
    try federation.startServer()
    for client in 0..<5 { try federation.startClient(client) }
    let first = federation.expectEnd()
    let words = ["--listen", federation.address, "--keys", "keys", "--run", "server", "--resume", "--json"]
    let again = try federation.tool.run(["server"] + federation.words + words)
    again.expectSuccess()
    #expect(again.outputLines.last == first.outputLines.last)
    let client = try federation.startClient(1).result()
    client.expectSuccess()
    #expect(client.digest == first.digest)
    // One that never heard of the end is told by a server that returns.
    try federation.startServer("--resume")
    let late = try federation.tool.run(
      ["client"] + federation.words + [
        "--connect", federation.address, "--keys", "keys", "--client", "3", "--run", "late", "--patience", "60",
        "--json",
      ])
    late.expectSuccess()
    #expect(late.digest == first.digest && late.json["updates"] as? Int == 0)
    federation.server.result().expectSuccess()
  }

  @Test("a deadline does not pass before somebody came, and the log says who is waited for")
  func earlyDeadline() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(),
      [
        "federation.yaml", "--set", "federated.clients=5", "--set", "federated.cohort=5", "--set", "federated.rounds=2",
        "--set", "federated.network={deadline: 0.2, minimum: 2}", "--set", "federated.devices.dropout=0.5",
      ], clients: 3)
    try federation.startServer()
    #expect(federation.waitForLog("waiting for 2 clients; 0 are there"))
    #expect(federation.waitForLog("admits 3 of 5 clients; without keys: 3, 4"))
    #expect(federation.waitForLog("federated.devices is for simulations"))
    try federation.startClient(0)
    #expect(federation.server.wait { federation.log.contains("client 0") })
    #expect(federation.rounds == 0)
    for client in [1, 2] { try federation.startClient(client) }
    let result = federation.server.result()
    result.expectSuccess()
    #expect(result.json["rounds"] as? Int == 2)
  }

  @Test("what takes noise away is readable by its owner alone")
  func secrets() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(),
      [
        "federation.yaml", "--set", "federated.clients=5", "--set", "federated.cohort=5", "--set",
        "federated.privacy={clip: 0.5, noise: 1, delta: 1e-3}",
      ], clients: 5)
    try federation.startServer()
    for client in 0..<5 { try federation.startClient(client) }
    federation.expectEnd().expectSuccess()
    let files = federation.tool.names(below: "server/checkpoints").filter { $0.hasSuffix(".safetensors") }
    let secret = try files.map { "server/checkpoints/\($0)" }.filter {
      try federation.tool.data($0).range(of: Data("setting/noise-key".utf8)) != nil
    }
    #expect(!secret.isEmpty)
    for name in secret {
      let mode = try FileManager.default.attributesOfItem(atPath: federation.tool.path(name))[.posixPermissions] as? Int
      #expect(mode == 0o600, "\(name)")
    }
  }
}

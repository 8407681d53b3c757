import Foundation
import Testing

@Suite("A client and a server that means it ill", .serialized)
struct FederationTaskTests {
  /// A task as a server tells it, fetched by the wire.
  private func task(_ changes: String...) throws -> (tool: CommandLineTool, text: String) {
    let tool = try FederatedTrial.folder(FederationHostileTests.configuration)
    let federation = try NetworkFederation(
      tool, ["federation.yaml"] + changes.flatMap { ["--set", $0] }, clients: 6)
    try federation.startServer()
    let client = try WireClient(federation, client: 0)
    client.send(.hello, session: 0, Array("{\"client\":0,\"program\":\"wire\"}".utf8))
    let welcome = try #require(client.wait(for: .welcome))
    client.session = welcome.session
    let bytes = try #require(welcome.json["taskBytes"] as? Int)
    client.send(.fetch, round: .max, total: UInt64(bytes))
    let text = String(decoding: try #require(client.wait(for: .data)?.body), as: UTF8.self)
    #expect(text.utf8.count == bytes && text.contains("federated:"))
    NetworkFederation.signal(federation.server, SIGTERM)
    return (tool, text)
  }

  /// How a client ends that is given a task.
  private func end(
    _ tool: CommandLineTool, _ task: String, _ ending: WireServer.Ending = .refuse("go away"),
    _ server: WireServer? = nil, limits: String = "{}"
  ) throws -> CommandResult {
    let server = try server ?? WireServer()
    try tool.write("name: own\nclient: \(limits)\n", to: "own.yaml")
    try? FileManager.default.removeItem(atPath: tool.path("run"))
    // What a task asks for in vain is not to be taken from this machine.
    let client = try tool.start(
      program: [
        "prlimit", "--as=\(8 << 30)", try CommandLineTool.executable().path, "client", "own.yaml", "--connect",
        server.address,
        "--client", "0", "--insecure", "--run", "run", "--quiet", "--patience", "20",
      ], timeout: 60)
    server.serve(Array(task.utf8), ending, to: client)
    return client.result()
  }

  @Test("files that a task names are not read")
  func files() throws {
    let (tool, text) = try task()
    try end(tool, text).expectFailure(3, "go away")
    #expect(!text.contains("participation: /") && !text.contains("path: /"))
    for (key, section) in [
      ("path", "data:"), ("test-path", "data:"), ("participation", "federated:"), ("devices", "federated:"),
      ("weights", "model:"),
    ] {
      // A file that is not there: whoever opens it says so.
      var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      let place = try #require(lines.firstIndex { $0.hasPrefix(section) })
      lines.removeAll { $0.hasPrefix("  \(key): ") }
      lines.insert("  \(key): \(key == "devices" ? "{trace: /nowhere/at-all}" : "/nowhere/at-all")", at: place + 1)
      let result = try end(tool, lines.joined(separator: "\n"))
      #expect(result.status == 3, "\(key): \(result.errors)")
      #expect(!result.errors.contains("/nowhere"), "\(key): \(result.errors)")
    }
  }

  @Test("tasks changed at random are refused: exit 3, 4 or 9, and never a trap")
  func fuzz() throws {
    let (tool, text) = try task()
    let values = [
      "-1", "0", "1e30", "1e-30", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "null", "[]",
      "{}", "/etc/passwd",
      "../../x", ".nan", ".inf", "true", "[1, 2]", "{name: x}", "\"\"", "*a", "&a", "!!binary x", "\"\\0\"",
      "1000000000", "1048576",
    ]
    var dice = Dice(31)
    let lines = text.split(separator: "\n").map(String.init)
    let scalars = lines.indices.filter { lines[$0].contains(": ") }
    for _ in 0..<(Way.isFull ? 400 : 40) {
      var changed = lines
      for _ in 0..<Int.random(in: 1...2, using: &dice) {
        let line = scalars.randomElement(using: &dice)!
        let key = lines[line].components(separatedBy: ": ")[0]
        changed[line] = "\(key): \(values.randomElement(using: &dice)!)"
      }
      let result = try end(tool, changed.joined(separator: "\n"))
      let difference = changed.filter { !lines.contains($0) }
      #expect([3, 4, 9].contains(result.status), "\(result.status) for \(difference): \(result.errors)")
      for word in ["Fatal error", "Stack dump", "*** "] { #expect(!result.errors.contains(word), "\(difference)") }
    }
    for task in ["", "\0", "a: b", "{", String(repeating: "[", count: 5000), "federated: {}", "- 1", "\u{FEFF}name: a"]
    {
      let result = try end(tool, task)
      #expect([3, 6].contains(result.status), "\(result.status) for \(task.prefix(9)): \(result.errors)")
    }
  }

  @Test(
    "orders that nobody can follow are exit 6, or are declined",
    arguments: [
      "[]", "{}", #"{"order":{"round":-1,"epochs":1,"learningRate":0.1,"weight":1,"totalWeight":1},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":-1,"learningRate":0.1,"weight":1,"totalWeight":1},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":-0.1,"weight":1,"totalWeight":1},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":1e999,"weight":1,"totalWeight":1},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":0.1,"weight":1,"totalWeight":0},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":0.1,"weight":9223372036854775807,"totalWeight":1},"downloadBytes":0}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":0.1,"weight":1,"totalWeight":1},"download":"whole","downloadBytes":-1}"#,
      #"{"order":{"round":0,"epochs":1,"learningRate":0.1,"weight":1,"totalWeight":1},"download":"whole","downloadBytes":9223372036854775807}"#,
      #"{"order":{"round":9223372036854775807,"epochs":1,"learningRate":0.1,"weight":1,"totalWeight":1},"downloadBytes":0}"#,
    ])
  func orders(_ order: String) throws {
    let (tool, text) = try task()
    try end(tool, text, .order(order)).expectFailure(6, "orders what cannot be understood")
  }

  /// An order that contradicts the task, or the client's limits, and what the client says.
  struct Contradiction: Sendable, CustomTestStringConvertible {
    let task: String
    var epochs = 1
    var rate = 0.1
    var weight = 20
    var total = 120
    var limit: Double?
    var among: Int?
    var limits = "{}"
    let says: String

    var testDescription: String { "\(task): \(says)" }

    var body: String {
      let more = (limit.map { ",\"changeLimit\":\($0)" } ?? "") + "}" + (among.map { ",\"maskedAmong\":\($0)" } ?? "")
      return "{\"order\":{\"round\":0,\"epochs\":\(epochs),\"learningRate\":\(rate),\"weight\":\(weight),"
        + "\"totalWeight\":\(total)\(more),\"downloadBytes\":0}"
    }
  }

  private static let masked = "federated.secure-aggregation=secagg"
  private static let adaptive = "federated.privacy={clip: {name: adaptive, initial: 0.5}, noise: 0.1}"

  @Test(
    "orders that contradict the task or the client's limits are declined with the reason",
    arguments: [
      .init(task: "federated.clip=0.5", limit: 50, says: "a norm of 50.0"),
      .init(task: "federated.clip=0.5", limits: "{unclipped: false}", says: "no largest norm"),
      .init(task: "federated.clip=0.5", epochs: 0, limit: 0.5, says: "no work"),
      .init(task: adaptive, weight: 20, limit: 2, limits: "{clip: 1}", says: "client.clip is 1"),
      .init(task: masked, among: 2, says: "among 2 clients by the order, and among 6 by the task"),
      .init(task: masked, weight: 0, among: 6, says: "weighs nothing"),
      .init(task: masked, rate: 0, among: 6, says: "not what the task says"),
      .init(task: masked, weight: 19, among: 6, says: "not what the task says"),
      .init(task: masked, total: 1 << 50, among: 6, says: "not what the task says"),
      .init(task: masked, says: "whether uploads are masked"),
      .init(task: masked, among: 1, says: "among 1 clients by the order"),
    ] as [Contradiction])
  func contradictions(_ example: Contradiction) throws {
    let (tool, text) = try task(example.task)
    let server = try WireServer()
    try end(tool, text, .order(example.body), server, limits: example.limits).expectFailure(3, "it declined")
    #expect(server.declined?.contains(example.says) == true, "\(server.declined ?? "")")
  }

  @Test("of a masked round clients give shares for one list of survivors, however often servers and they are started")
  func replay() throws {
    let (tool, text) = try task(Self.masked, "federated.clients=4")
    let server = try WireServer()
    try tool.write("name: own\n", to: "own.yaml")
    let replay = MaskedReplay(server, Array(text.utf8), clients: 4)
    func start() throws -> [RunningCommand] {
      try (0..<4).map { client in
        try tool.start(
          program: [
            try CommandLineTool.executable().path, "client", "own.yaml", "--connect", server.address, "--client",
            "\(client)", "--insecure", "--run", "run\(client)", "--resume", "--quiet", "--patience", "60",
          ], timeout: 120)
      }
    }
    func expect(_ answers: [MaskedReplay.Answers], _ revealed: [Set<Int>], _ declined: [Set<Int>]) {
      #expect(answers.map(\.revealed) == revealed && answers.map { Set($0.declined.keys) } == declined)
      for reason in answers.flatMap(\.declined.values) {
        #expect(reason == "it has revealed shares of this round for other survivors")
      }
    }
    var clients = try start()
    defer { for client in clients { NetworkFederation.signal(client, SIGKILL) } }
    let (all, few): (Set, Set) = ([0, 1, 2, 3], [0, 1, 2])
    expect(try replay([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2]]), [all, all, []], [[], [], few])
    for client in clients { NetworkFederation.signal(client, SIGKILL) }
    clients = try start()
    expect(try replay([[0, 1, 2], [0, 1, 2, 3]]), [[], all], [few, []])
  }

  @Test("a task whose norm is above the client's, or that has none, is refused: exit 9")
  func clip() throws {
    for (change, isRefused) in [
      ("federated.clip=2", true), ("federated.clip=1", false), (Self.adaptive, false), ("name=plain", true),
      ("federated.privacy={clip: 1.5, noise: 0.1}", true),
    ] {
      let (tool, text) = try task(change)
      let result = try end(tool, text, limits: "{clip: 1.0}")
      if isRefused {
        result.expectFailure(9, "task is refused", "client.clip is 1")
      } else {
        result.expectFailure(3, "go away")
      }
    }
  }
}

import Foundation
import Testing

@Suite("A client and a server that means it ill", .serialized)
struct FederationTaskTests {
  /// A task as a server tells it, fetched by the wire.
  private func task() throws -> (tool: CommandLineTool, text: String) {
    let tool = try FederatedTrial.folder(FederationHostileTests.configuration)
    let federation = try NetworkFederation(tool, ["federation.yaml"], clients: 6)
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
    _ tool: CommandLineTool, _ task: String, _ ending: WireServer.Ending = .refuse("go away")
  ) throws -> CommandResult {
    let server = try WireServer()
    try tool.write("name: own\n", to: "own.yaml")
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
}

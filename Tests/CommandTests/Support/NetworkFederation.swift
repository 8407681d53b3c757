import Foundation
import Testing

/// A federation whose server and clients are processes, in a folder of their own; none outlives the last reference to it.
final class NetworkFederation {
  /// The folder.
  let tool: CommandLineTool
  /// The configuration and its changes, behind every verb.
  let words: [String]
  /// How many clients it has.
  let clients: Int
  /// What each side says about keys.
  let identity: [String]
  /// Where the server listens, once it does.
  private(set) var address = ""
  private(set) var server: RunningCommand!
  private(set) var commands: [Int: RunningCommand] = [:]

  /// Makes the keys.
  init(_ tool: CommandLineTool, _ words: [String], clients: Int, hasKeys: Bool = true) throws {
    self.tool = tool
    self.words = words
    self.clients = clients
    identity = hasKeys ? ["--keys", "keys"] : ["--insecure"]
    if hasKeys { try tool.run("keys", "keys", "--clients", "\(clients)", "--quiet").expectSuccess() }
  }

  deinit {
    for command in [server].compactMap({ $0 }) + commands.values where command.isRunning {
      for process in RunningProcess.below(command.identifier) {
        kill(process.identifier, SIGCONT)
        kill(process.identifier, SIGKILL)
      }
    }
  }

  // MARK: The server

  /// Starts the server, in the run directory `server`, and waits until it listens: at any port, and after that at the same.
  func startServer(_ more: String..., flags: [String] = [], in space: [String] = [], timeout: Int = 300) throws {
    let listen = ["--listen", address.isEmpty ? "tcp://127.0.0.1:0" : address]
    let program = try CommandLineTool.executable().path
    server = try tool.start(
      program: space + [program, "server"] + words + listen + identity + ["--run", "server", "--json"] + more + flags,
      timeout: timeout)
    let command = server!
    #expect(command.wait { command.errors.contains("listening on ") }, "\(command.errors)")
    let line = command.errors.components(separatedBy: "listening on ").dropFirst().first ?? ""
    address = String(line.prefix { !$0.isNewline })
  }

  /// Goes on at another address than one of loopback.
  func listen(at address: String) { self.address = address }

  /// What the server's log says.
  var log: String { (try? tool.text("server/log.txt")) ?? "" }

  /// Waits until the server's log says something; false where the server ended before.
  func waitForLog(_ words: String) -> Bool { server.wait { log.contains(words) } }

  /// Rounds in the server's ledger.
  var rounds: Int { ((try? tool.text("server/clients.jsonl")) ?? "").split(separator: "\n").count }

  // MARK: Clients

  /// Starts a client, in the run directory `clientK`.
  @discardableResult
  func startClient(
    _ client: Int, _ more: String..., patience: Int = 120, in space: [String] = [], timeout: Int = 300
  ) throws -> RunningCommand {
    let program = try CommandLineTool.executable().path
    let command = try tool.start(
      program: space + [program, "client"] + words
        + [
          "--connect", address, "--client", "\(client)", "--run", "client\(client)", "--resume", "--json", "--patience",
          "\(patience)",
        ]
        + identity + more, timeout: timeout)
    commands[client] = command
    return command
  }

  /// Starts all clients, in a random order and with random pauses of up to 50 ms.
  func startClients(_ dice: inout Dice) throws {
    for client in (0..<clients).shuffled(using: &dice) {
      try startClient(client)
      usleep(UInt32.random(in: 0...50_000, using: &dice))
    }
  }

  // MARK: Ends

  /// The process itself, below that of `timeout`.
  static func process(_ command: RunningCommand) -> pid_t? {
    var found: pid_t?
    _ = command.wait {
      found = RunningProcess.below(command.identifier).first { $0.name == "nndist" }?.identifier
      return found != nil
    }
    return found
  }

  /// Sends a signal to a process itself; SIGKILL is waited for.
  static func signal(_ command: RunningCommand, _ number: Int32) {
    guard let process = process(command) else { return }
    kill(process, number)
    if number == SIGKILL { _ = command.result() }
  }

  /// Expects that server and clients end well, and that all tell the same digest; the server's result.
  func expectEnd(sourceLocation: SourceLocation = #_sourceLocation) -> CommandResult {
    let result = server.result()
    result.expectSuccess(sourceLocation: sourceLocation)
    if result.status != 0 { return result }
    for (client, command) in commands.sorted(by: { $0.key < $1.key }) {
      let end = command.result()
      end.expectSuccess(sourceLocation: sourceLocation)
      #expect(
        end.json["parameters_digest"] as? String == result.digest, "client \(client)", sourceLocation: sourceLocation)
    }
    return result
  }

  // MARK: What it is held to

  /// Simulates the same, with those who took part in the server's rounds where `repeating`.
  func simulate(repeating: Bool = false) throws -> CommandResult {
    let result = try tool.run(
      ["simulate"] + words + ["--json", "--quiet", "--run", "simulated"]
        + (repeating ? ["--set", "federated.participation=server/clients.jsonl"] : []))
    result.expectSuccess()
    return result
  }

  /// A line of the server's ledger.
  struct LedgerRound {
    let round: Int
    let clients: [Int]
    let status: [String]

    func clients(_ wanted: String) -> [Int] { zip(clients, status).filter { $0.1 == wanted }.map(\.0) }
  }

  /// The server's ledger.
  func ledger() throws -> [LedgerRound] {
    try tool.text("server/clients.jsonl").split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      return LedgerRound(
        round: object["round"] as? Int ?? -1, clients: object["clients"] as? [Int] ?? [],
        status: object["status"] as? [String] ?? [])
    }
  }

  /// Expects that every round is in the ledger once, every client at most once in a round, and as many updates as were counted.
  func expectLedger(_ result: CommandResult, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let ledger = try self.ledger()
    #expect(ledger.map(\.round) == Array(1...max(1, ledger.count)), sourceLocation: sourceLocation)
    #expect(ledger.count == result.json["rounds"] as? Int, sourceLocation: sourceLocation)
    for round in ledger { #expect(Set(round.clients).count == round.clients.count, sourceLocation: sourceLocation) }
    let counted = ledger.reduce(0) { $0 + $1.clients("accepted").count }
    #expect(counted == result.json["updates"] as? Int, sourceLocation: sourceLocation)
  }

  /// Expects that `nndist verify` confirms the server's run.
  func expectVerified(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let verified = try tool.run("verify", "server", "--json", "--quiet")
    verified.expectSuccess(sourceLocation: sourceLocation)
    #expect(verified.json["confirmed"] as? Bool == true, sourceLocation: sourceLocation)
  }
}

/// Random numbers of a seed (SplitMix64, Steele et al. 2014).
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

extension CommandResult {
  /// Expects an exit code and, as the last line of standard error, an error that holds some words; lines before it may tell of
  /// connections.
  func expectLastWord(_ code: Int32, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == code, "\(command): exit \(status): \(errors)", sourceLocation: sourceLocation)
    let line = errorLines.last ?? ""
    for word in ["nndist: error: "] + words {
      #expect(line.contains(word), "\(command): no `\(word)` in: \(errors)", sourceLocation: sourceLocation)
    }
  }
}

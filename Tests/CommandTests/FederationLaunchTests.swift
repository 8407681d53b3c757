import Configuration
import Foundation
import Testing

@Suite("launch/federation and its kin", .serialized)
struct FederationLaunchTests {
  private static let script = CommandLineTool.repository.appendingPathComponent("launch/federation").path
  private static let five = ["federation.yaml", "--set", "federated.clients=5", "--set", "federated.cohort=5"]

  private func launch(_ tool: CommandLineTool, _ words: [String]) throws -> RunningCommand {
    try tool.start(program: [Self.script] + Self.five + words)
  }

  /// Processes below a launch that run nndist.
  private func processes(_ command: RunningCommand) -> [RunningProcess] {
    RunningProcess.below(command.identifier).filter { $0.name == "nndist" }
  }

  @Test(
    "starts a server and its clients, names their lines, and ends with the simulated result",
    arguments: [[], ["--insecure"]])
  func run(_ words: [String]) throws {
    let tool = try FederatedTrial.folder()
    let result = try launch(tool, ["-n", "5", "--json", "--run", "run"] + words).result()
    result.expectSuccess()
    #expect(result.outputLines.count == 1 && result.json["verb"] as? String == "server")
    #expect(result.digest == (try tool.run(["simulate"] + Self.five + ["--json", "--quiet"]).digest))
    #expect(result.errors.contains("[server] nndist: listening on tcp://127.0.0.1:"))
    #expect(result.errorLines.allSatisfy { $0.hasPrefix("[server] ") || $0.hasPrefix("[client ") })
    for client in 0..<5 { #expect(tool.exists("run-client\(client)/result.json")) }
    // The same again, on a finished run.
    let again = try launch(tool, ["--json", "--run", "run", "--resume"] + words).result()
    again.expectSuccess()
    #expect(again.output == result.output)
  }

  @Test(
    "SIGINT and SIGTERM are exit 10 with the state saved, and --resume goes on", arguments: [SIGINT, SIGTERM, SIGHUP])
  func stop(_ signal: Int32) throws {
    let tool = try FederatedTrial.folder()
    let words = ["--run", "run", "--set", "federated.rounds=1000000", "--set", "federated.evaluate=1000"]
    let command = try launch(tool, words)
    func rounds() -> Int { ((try? tool.text("run/clients.jsonl")) ?? "").split(separator: "\n").count }
    #expect(command.wait { rounds() >= 2 })
    let processes = processes(command)
    #expect(processes.count == 6)
    let script = try #require(RunningProcess.below(command.identifier).first?.identifier)
    kill(script, signal)
    let result = command.result()
    #expect(result.status == 10, "\(result.errors)")
    for process in processes { #expect(!RunningProcess.isAlive(process.identifier)) }
    let end = ["--set", "federated.rounds=\(rounds() + 3)"]
    let resumed = try launch(tool, words + ["--resume", "--json", "--quiet"] + end).result()
    resumed.expectSuccess()
    #expect(
      resumed.digest
        == (try tool.run(["simulate"] + Self.five + words.dropFirst(2) + end + ["--json", "--quiet"]).digest))
  }

  @Test("nothing outlives a launch that is killed")
  func killed() throws {
    let tool = try FederatedTrial.folder()
    let command = try launch(tool, ["--insecure", "--quiet", "--run", "run", "--set", "federated.rounds=1000000"])
    #expect(command.wait { tool.exists("run/clients.jsonl") })
    let all = RunningProcess.below(command.identifier)
    kill(try #require(all.first?.identifier), SIGKILL)
    #expect(command.result().status == 137)
    // The test's own limit ends a wait in vain.
    while all.contains(where: { RunningProcess.isAlive($0.identifier) }) { usleep(10_000) }
  }

  @Test("when no client is left the server is stopped, and the exit code is the first client's")
  func abandoned() throws {
    let tool = try FederatedTrial.folder()
    let result = try launch(tool, ["--set", "client.unclipped=false"]).result()
    #expect(result.status == 9, "\(result.errors)")
    #expect(result.errors.contains("[client 3] nndist: error: the server's task is refused"))
    #expect(result.errors.contains("no client is left"))
  }

  @Test(
    "what cannot be started is said at once",
    arguments: [
      (["-n", "6"], 2, "add --set federated.clients=6"), (["-n", "0"], 2, "-n is 0"),
      (["--port", "99999"], 2, "--port is 99999"),
      (["--set", "federated.roundz=1"], 3, "roundz"), (["--frobnicate"], 2, "--frobnicate"), (["--resume"], 2, "--run"),
      (["--keys", "keys", "--insecure"], 2, "one of them"), (["--keys", "none"], 4, "none"),
      (["--set"], 2, "takes a value"),
    ])
  func wrong(_ words: [String], _ code: Int32, _ remedy: String) throws {
    let tool = try FederatedTrial.folder()
    let result = try launch(tool, words).result()
    #expect(result.status == code, "\(result.errors)")
    #expect(result.errors.contains(remedy), "\(result.errors)")
    #expect(result.output == "")
  }

  @Test("the manifest for Kubernetes is YAML, and what it starts are verbs and flags that there are")
  func manifest() throws {
    let path = CommandLineTool.repository.appendingPathComponent("launch/federation.yaml")
    let text = try String(contentsOf: path, encoding: .utf8)
    let documents = try text.components(separatedBy: "\n---\n").map { try Node.parse($0, file: "federation.yaml") }
    let kinds = documents.map { $0["kind"]?.yaml().trimmingCharacters(in: .whitespacesAndNewlines) ?? "" }
    #expect(kinds == ["Service", "PersistentVolumeClaim", "PersistentVolumeClaim", "Job", "Job"])
    for (document, verb) in zip(documents.suffix(2), ["server", "client"]) {
      let pod = try #require(document["spec"]?["template"]?["spec"])
      let words = try #require(pod["containers"]).yaml().split(whereSeparator: { " \n\"".contains($0) }).map(
        String.init)
      #expect(words.contains(verb))
      let help = try CommandLineTool().run(verb, "--help").output
      for flag in words where flag.hasPrefix("--") { #expect(help.contains(flag), "\(flag)") }
      #expect(document["spec"]?["podFailurePolicy"] != nil)
    }
  }

  @Test("help is the script's own head")
  func help() throws {
    let result = try CommandLineTool().run(program: [Self.script, "--help"])
    result.expectSuccess()
    #expect(result.output.contains("launch/federation CONFIG -n 5") && !result.output.contains("set -euo"))
  }

  @Test(
    "systemd takes the units",
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")),
    arguments: [
      ("nndist-server.service", "nndist-server.service"), ("nndist-client@.service", "nndist-client@3.service"),
    ])
  func units(_ name: String, _ instance: String) throws {
    let tool = try CommandLineTool()
    let text = try String(
      contentsOf: CommandLineTool.repository.appendingPathComponent("launch/\(name)"), encoding: .utf8)
    #expect(text.contains("RestartPreventExitStatus=2 3 4") && text.contains("SuccessExitStatus=10"))
    let program = try CommandLineTool.executable().path
    try tool.write(text.replacingOccurrences(of: "/usr/local/bin/nndist", with: program), to: instance)
    let result = try tool.run(program: ["systemd-analyze", "verify", "--man=no", tool.path(instance)])
    result.expectSuccess()
    #expect(!result.errors.contains(instance), "\(result.errors)")
    // What it starts are flags that there are.
    let start = text.replacingOccurrences(of: "\\\n", with: " ").split(separator: "\n").first {
      $0.hasPrefix("ExecStart=")
    }
    let words = String(try #require(start)).split(separator: " ").dropFirst().map(String.init)
    let help = try tool.run(words[0], "--help").output
    for flag in words where flag.hasPrefix("--") { #expect(help.contains(flag), "\(flag)") }
  }
}

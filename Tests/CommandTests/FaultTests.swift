import Foundation
import Testing

@Suite("Faults on demand happen where they should, and what they leave goes on to the undisturbed result")
struct FaultTests {
  /// Twelve steps with a checkpoint after every second.
  static let text = CommandLineTool.digits + "checkpoint: {every: 2 steps, keep: 20}\n"

  enum Runtime: CaseIterable {
    case alone, threads, processes

    /// Ranks other than 0 are there too.
    static let several: [Runtime] = [.threads, .processes]
  }

  private func folder() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(Self.text, to: "a.yaml")
    return tool
  }

  /// Trains in the directory `run` with faults and more flags.
  private func train(
    _ tool: CommandLineTool, _ runtime: Runtime, _ faults: String, _ flags: [String] = [],
    environment: [String: String?] = [:]
  ) throws -> CommandResult {
    let words = ["a.yaml", "--run", "run", "--json", "--quiet", "--set", "faults=\(faults)"] + flags
    switch runtime {
    case .alone: return try tool.run(["train"] + words, environment: environment)
    case .threads: return try tool.run(["simulate"] + words + ["--ranks", "2"], environment: environment)
    case .processes: return try tool.mpirun(ranks: 2, ["train"] + words, environment: environment)
    }
  }

  /// The second start of a run, with the same faults, on another number of ranks.
  private func resume(_ tool: CommandLineTool, _ faults: String) throws -> CommandResult {
    try tool.run(
      "simulate", "a.yaml", "--run", "run", "--json", "--quiet", "--set", "faults=\(faults)", "--resume", "--ranks",
      "3",
      environment: ["NNDIST_ATTEMPT": "2"])
  }

  /// The digest of a run that nothing happens to.
  private func undisturbed(_ tool: CommandLineTool) throws -> String {
    let result = try tool.run("train", "a.yaml", "--json", "--quiet", "--run", "undisturbed")
    result.expectSuccess()
    return result.digest
  }

  /// Steps that have a checkpoint, ascending.
  private func checkpoints(_ tool: CommandLineTool) throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: tool.path("run/checkpoints")).compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5)) : nil
    }.sorted()
  }

  /// Expects that the last checkpoint begun is that of a step, which the fault may have met before it was whole, that all
  /// before it are there, and that the run goes on.
  private func expectResumable(
    _ tool: CommandLineTool, _ faults: String, after step: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let begun = Array(stride(from: 2, through: step, by: 2))
    let found = try checkpoints(tool)
    #expect(found == begun || found == begun.dropLast(), "\(found)", sourceLocation: sourceLocation)
    #expect(!tool.exists("run/result.json"), sourceLocation: sourceLocation)
    let resumed = try resume(tool, faults)
    resumed.expectSuccess(sourceLocation: sourceLocation)
    #expect(!resumed.errors.contains("goes on with another"), "\(resumed.errors)", sourceLocation: sourceLocation)
    #expect(try resumed.digest == undisturbed(tool), sourceLocation: sourceLocation)
  }

  // MARK: - Ranks

  @Test("a killed rank", arguments: ["start", "gradients", "update", "checkpoint"], [0, 1])
  func kill(moment: String, rank: Int) throws {
    let tool = try folder()
    let faults = "[{kill: {rank: \(rank), step: 6, at: \(moment)}}]"
    try train(tool, .threads, faults).expectFailure(6, "rank \(rank) was killed", "step 6")
    try expectResumable(tool, faults, after: 4)
  }

  @Test("a killed rank that has messages under way from step to step", arguments: ["start", "gradients", "update"])
  func killOverlapped(moment: String) throws {
    let tool = try folder()
    let strategy = ["--set", "strategy={name: streaming-diloco, period: 8, fragments: 2, delay: 3}"]
    try train(tool, .threads, "[{kill: {rank: 1, step: 6, at: \(moment)}}]", strategy)
      .expectFailure(6, "rank 1 was killed", "step 6")
  }

  @Test("a killed process, alone and as a rank", arguments: ["start", "gradients", "checkpoint"])
  func killProcess(moment: String) throws {
    let tool = try folder()
    let faults = "[{kill: {step: 4, at: \(moment)}}]"
    #expect(try train(tool, .alone, faults).status == 128 + SIGKILL)
    try expectResumable(tool, faults, after: 2)
    try FileManager.default.removeItem(atPath: tool.path("run"))
    try FileManager.default.removeItem(atPath: tool.path("undisturbed"))
    let result = try train(tool, .processes, faults)
    // nndist's own code when a rank notices first, else the launcher's.
    #expect(result.status == 6 || result.status == 128 + SIGKILL, "exit \(result.status): \(result.errors)")
    #expect(result.errors.contains("rank 0 ended") || result.errors.contains("status 137"), "\(result.errors)")
    try expectResumable(tool, faults, after: 2)
  }

  @Test("a hanging rank, which the others give up", arguments: Runtime.several, [0, 1])
  func hang(runtime: Runtime, rank: Int) throws {
    let tool = try folder()
    let faults = "[{hang: {rank: \(rank), step: 5}}]"
    let result = try train(tool, runtime, faults, environment: ["NNDIST_TIMEOUT_SECONDS": "1"])
    #expect(result.status == 6, "exit \(result.status): \(result.errors)")
    #expect(result.errors.contains("rank \(rank)"), "\(result.errors)")
    try expectResumable(tool, faults, after: 4)
  }

  @Test("a process that hangs alone waits until it is ended")
  func hangAlone() throws {
    let tool = try folder()
    let faults = "[{hang: {step: 5}}]"
    let command = try tool.start("train", "a.yaml", "--run", "run", "--quiet", "--set", "faults=\(faults)")
    func lines() -> Int { ((try? tool.text("run/metrics.jsonl")) ?? "").split(separator: "\n").count }
    #expect(command.wait { tool.exists("run/checkpoints/step-4") })
    #expect(command.isRunning)
    command.signal(SIGTERM)  // which waits for the end of the step
    #expect(command.isRunning)
    for identifier in try children(of: command) { Foundation.kill(identifier, SIGKILL) }
    #expect(command.result().status == 128 + SIGKILL)
    #expect(lines() == 4)
    try expectResumable(tool, faults, after: 4)
  }

  /// The processes that `timeout` started in the tool's folder.
  private func children(of command: RunningCommand) throws -> [pid_t] {
    let parent = "\(command.identifier)"
    return try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.filter { identifier in
      let status = (try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)) ?? ""
      return status.split(separator: ")").last?.split(separator: " ").dropFirst().first.map(String.init) == parent
    }
  }

  @Test("a late rank changes no bit", arguments: Runtime.allCases)
  func delay(runtime: Runtime) throws {
    let tool = try folder()
    let faults = "[{delay: {step: 3, seconds: 0.01}}, {hang: {step: 4, at: gradients, seconds: 0.01, attempt: every}}]"
    let result = try train(tool, runtime, faults)
    result.expectSuccess()
    #expect(try result.digest == undisturbed(tool))
    #expect(try !tool.text("run/log.txt").contains("did not happen"))
  }

  // MARK: - Numbers

  @Test("a wrong bit is noticed before it is kept, and the run goes on without it", arguments: Runtime.several)
  func corrupt(runtime: Runtime) throws {
    let tool = try folder()
    let faults = "[{corrupt: {rank: 1, step: 5}}]"
    try train(tool, runtime, faults).expectFailure(7, "step 6", "parameters")
    try expectResumable(tool, faults, after: 4)
  }

  @Test("a gradient that is no number ends training on all ranks alike", arguments: Runtime.allCases)
  func notANumber(runtime: Runtime) throws {
    let tool = try folder()
    let faults = "[{nan: {shard: 3, step: 6}}]"
    try train(tool, runtime, faults).expectFailure(8, "step 6", "not a number")
    try expectResumable(tool, faults, after: 4)
  }

  @Test(
    "however ranks exchange it",
    arguments: ["top-k", "sign-majority", "powersgd", "{name: zero, stage: 2}", "{name: local-sgd, period: 3}"])
  func notANumber(strategy: String) throws {
    let tool = try folder()
    let flags = ["--set", "strategy=\(strategy)", "--set", "compute.threads=2"]
    try train(tool, .threads, "[{nan: {shard: 2, step: 6}}]", flags).expectFailure(8, "step 6", "not a number")
    #expect(try checkpoints(tool) == [2, 4])
  }

  @Test("a gradient alone that is no number is noticed in the next step")
  func gradientAlone() throws {
    let tool = try folder()
    let faults = "[{nan: {step: 5, loss: false}}]"
    try train(tool, .threads, faults).expectFailure(8, "step 6", "not a number")
    try expectResumable(tool, faults, after: 4)
  }

  // MARK: - Files

  @Test("a file of a checkpoint that cannot be written", arguments: ["fail-write", "fill-disk"], [1, 2, 3])
  func checkpointFile(kind: String, write: Int) throws {
    let tool = try folder()
    let faults = "[{\(kind): {step: 6, write: \(write)}}]"
    let words = kind == "fail-write" ? "Input/output error" : "No space left on device"
    try train(tool, .alone, faults).expectFailure(9, "cannot write", "step-6", words)
    try expectResumable(tool, faults, after: 4)
  }

  @Test("a file of a name, on ranks", arguments: Runtime.several)
  func namedFile(runtime: Runtime) throws {
    let tool = try folder()
    let faults = "[{fill-disk: {step: 8, file: mani*.json}}]"
    try train(tool, runtime, faults).expectFailure(9, "manifest.json", "No space left on device")
    try expectResumable(tool, faults, after: 6)
  }

  @Test("files beside the checkpoints", arguments: Runtime.allCases)
  func otherFiles(runtime: Runtime) throws {
    let tool = try folder()
    let result = "[{fail-write: {step: 12, file: result.json}}]"
    try train(tool, runtime, result).expectFailure(9, "result.json", "Input/output error")
    try expectResumable(tool, result, after: 12)
    try FileManager.default.removeItem(atPath: tool.path("run"))
    try train(tool, runtime, "[{fill-disk: {step: 0, file: config.yaml}}]")
      .expectFailure(9, "config.yaml", "No space left on device")
    try FileManager.default.removeItem(atPath: tool.path("run"))
    // A line of metrics ends no training.
    let metrics = try train(tool, runtime, "[{fill-disk: {step: 7, file: metrics.jsonl}}]")
    metrics.expectSuccess()
    #expect(try tool.text("run/log.txt").contains("metrics are not written"))
    let steps = try tool.text("run/metrics.jsonl").split(separator: "\n").map(String.init)
    #expect(!steps.contains { $0.contains("\"step\": 7,") } && steps.contains { $0.contains("\"step\": 8,") })
  }

  // MARK: - Starts

  @Test("a fault of all starts happens again, one of a start in that start only")
  func attempts() throws {
    let tool = try folder()
    let faults = "[{nan: {step: 6, attempt: every}}, {fill-disk: {step: 8, attempt: 3}}]"
    try train(tool, .alone, faults).expectFailure(8, "step 6")
    try train(tool, .alone, faults, ["--resume"]).expectFailure(8, "step 6")
    let third = "[{nan: {step: 6, attempt: 1}}, {fill-disk: {step: 8, attempt: 3}}]"
    // By the receipts of the starts before, where nothing else says it.
    try tool.write("{}\n{}\n", to: "run/receipt.jsonl")
    try train(tool, .threads, third, ["--resume"]).expectFailure(9, "step-8", "No space")
    try train(tool, .threads, third, ["--resume"], environment: ["NNDIST_ATTEMPT": "4"]).expectSuccess()
    try tool.run("train", "a.yaml", "--set", "faults=\(faults)", environment: ["NNDIST_ATTEMPT": "second"])
      .expectFailure(3, "NNDIST_ATTEMPT", "second")
  }

  @Test("a later start may have fewer ranks than a fault names")
  func fewerRanks() throws {
    let tool = try folder()
    let faults = "[{kill: {rank: 1, step: 6}}, {delay: {rank: 1, step: 8, seconds: 0, attempt: every}}]"
    try train(tool, .threads, faults).expectFailure(6, "rank 1")
    let alone = try train(tool, .alone, faults, ["--resume"], environment: ["NNDIST_ATTEMPT": "2"])
    alone.expectSuccess()
    #expect(try alone.digest == undisturbed(tool))
    #expect(try tool.text("run/log.txt").contains("faults.1.delay did not happen before step 8"))
  }

  @Test("what has not happened by the end is said in the log")
  func missed() throws {
    let tool = try folder()
    try train(tool, .threads, "[{kill: {step: 5, at: checkpoint}}, {fail-write: {step: 4, file: modle.safetensors}}]")
      .expectSuccess()
    let log = try tool.text("run/log.txt")
    #expect(log.contains("faults.0.kill did not happen at the checkpoint of step 5"))
    #expect(log.contains("faults.1.fail-write did not happen in step 4"))
  }
}

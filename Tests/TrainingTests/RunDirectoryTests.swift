import Communication
import Configuration
import Datasets
import Foundation
import Tensors
import Testing
import Training

@Suite("A run directory belongs to one run and one process")
struct RunDirectoryTests {
  let folder: PersistenceFolder

  init() throws { folder = try PersistenceFolder() }

  func open(_ name: String, resume: Bool = false, patience: Duration = .zero) throws(RunError) -> RunDirectory {
    try RunDirectory(name: "a", path: "\(folder.path)/\(name)", resume: resume, patience: patience)
  }

  func code(_ body: () throws -> Void) -> ExitCode? {
    do { try body() } catch {
      let error = RunError(error)
      #expect(!error.message.contains("\n"))
      return error.code
    }
    return nil
  }

  @Test func itHoldsWhatTheContractNames() throws {
    let run = try open("deep/er/run")
    #expect(!run.isContinued)
    try run.write(configuration: .map(["name": .text("a"), "seed": .integer(3)]))
    run.log.write("two\nlines")
    let metrics = try run.metrics()
    var line = Metrics()
    line.step = 1
    try metrics.write(line)
    #expect(run.result == nil)
    try run.finish(["verb": "train", "loss": 0.5])
    #expect(
      try folder.names("deep/er/run") == [
        "checkpoints", "config.yaml", "lock", "log.txt", "metrics.jsonl", "result.json",
      ])
    #expect(try run.configuration()?["seed"]?.integer == 3)
    #expect(run.result == "{\"verb\": \"train\", \"loss\": 0.5}")
    let log = try folder.text("deep/er/run/log.txt")
    #expect(log.hasSuffix("Z two\\nlines\n") && log.split(separator: "\n").count == 1)
    run.reopen()
    #expect(run.result == nil)
  }

  @Test func withoutAPathRunsOfOneSecondGetNamesOfTheirOwn() throws {
    let root = "\(folder.path)/runs"
    let runs = try (0..<5).map { _ in try RunDirectory(name: "a/b c", under: root) }
    #expect(Set(runs.map(\.path)).count == 5)
    #expect(runs.allSatisfy { $0.path.hasPrefix("\(root)/a-b-c-2") })
    #expect(code { _ = try RunDirectory(name: "a", resume: true, under: root) } == .usage)
  }

  @Test func anExistingRunNeedsResume() throws {
    do { _ = try open("run") }
    #expect(code { _ = try open("run") } == .configuration)
    let again = try open("run/", resume: true)
    #expect(again.isContinued)
    again.log.write("again")
    #expect(try !open("new", resume: true).isContinued)
  }

  @Test func aFolderOfSomethingElseIsNeverTaken() throws {
    try folder.write("x", to: "file")
    #expect(code { _ = try open("file") } == .configuration)
    #expect(code { _ = try open("") } == .configuration)
    #expect(code { _ = try open("", resume: true) } == .configuration)
    #expect(try folder.names() == ["file"])
    try FileManager.default.createDirectory(atPath: "\(folder.path)/empty", withIntermediateDirectories: true)
    #expect(try !open("empty").isContinued)
  }

  @Test func whereTheSystemRefusesSoDoesTheRun() throws {
    try folder.write("x", to: "file")
    #expect(code { _ = try open("file/run") } == .refused)
    #expect(code { _ = try RunDirectory(name: "a", path: "/proc/run") } == .refused)
    #expect(code { _ = try RunDirectory(name: "a", under: "\(folder.path)/file") } == .refused)
  }

  @Test func aSecondStarterIsRefused() throws {
    let first = try open("run")
    let error = #expect(throws: RunError.self) { try open("run", resume: true) }
    #expect(error?.code == .refused)
    #expect(error?.message.contains("in use by process \(ProcessInfo.processInfo.processIdentifier)") == true)
    first.log.write("still here")
  }

  @Test func aSecondStarterWaitsForOneThatIsEnding() throws {
    var first: RunDirectory? = try open("run")
    let begun = DispatchSemaphore(value: 0), done = DispatchSemaphore(value: 0)
    let path = "\(folder.path)/run"
    let outcome = Outcome()
    Thread.detachNewThread {
      begun.signal()
      outcome.second = try? RunDirectory(name: "a", path: path, resume: true, patience: .seconds(600))
      done.signal()
    }
    begun.wait()
    #expect(first != nil)
    first = nil
    done.wait()
    #expect(outcome.second?.isContinued == true)
  }

  /// Written by one thread before its signal, read by the other after it.
  final class Outcome: @unchecked Sendable { var second: RunDirectory? }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/flock")))
  func theLockHoldsAgainstOtherProcesses() throws {
    func other() throws -> Int32 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
      process.arguments = ["--nonblock", "\(folder.path)/run/lock", "true"]
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
    var run: RunDirectory? = try open("run")
    #expect(try other() == 1)
    #expect(run != nil)
    run = nil
    #expect(try other() == 0)
  }

  @Test func errorsOfAllModulesHaveTheirCodes() {
    struct Other: Error {}
    let table: [(any Error, ExitCode)] = [
      (ConfigurationError("a"), .configuration), (DataError(.malformed, "a"), .data),
      (DataError(.unwritable, "a"), .refused), (CommunicationError(.peerLost, "a"), .peerLost),
      (CommunicationError(.timeout, "a"), .peerLost), (CommunicationError(.mismatch, "a"), .desynchronised),
      (CommunicationError(.library(3), "a"), .internalError), (CommunicationError(.setting, "a"), .configuration),
      (CheckpointError(.damaged, "a"), .checkpoint), (CheckpointError(.unwritable, "a"), .refused),
      (RunError(.stopped, "a"), .stopped), (Other(), .internalError),
    ]
    for (error, code) in table { #expect(RunError(error).code == code, "\(error)") }
    #expect(ExitCode.allCases.map(\.rawValue) == Array(0...11))
    #expect(RunError(.data, "a\nb\u{1B}[0m\u{2028}").message == "a\\nb\\u{1B}[0m\\u{2028}")
  }

  @Test func memoryIsCounted() {
    let current = ProcessMemory.current
    #expect(current > 1 << 20)
    #expect(ProcessMemory.peak >= current)
    #expect(MachineMemory.available > 1 << 20)
  }

  @Test func aControlGroupLimitsMemory() throws {
    for name in ["proc/self", "sys/fs/cgroup/a/b"] {
      try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    try folder.write("MemTotal: 99 kB\nMemAvailable:   1000 kB\n", to: "proc/meminfo")
    #expect(MachineMemory.available(root: folder.path) == 1_024_000)
    try folder.write("0::/a/b\n", to: "proc/self/cgroup")
    try folder.write("max\n", to: "sys/fs/cgroup/a/b/memory.max")
    try folder.write("10\n", to: "sys/fs/cgroup/a/b/memory.current")
    try folder.write("5000\n", to: "sys/fs/cgroup/a/memory.max")
    try folder.write("3000\n", to: "sys/fs/cgroup/a/memory.current")
    try folder.write("anon 7\ninactive_file 1000\n", to: "sys/fs/cgroup/a/memory.stat")
    #expect(MachineMemory.available(root: folder.path) == 3000)
  }
}

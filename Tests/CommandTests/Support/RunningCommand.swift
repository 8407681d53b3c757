import Foundation

/// A process whose output goes to files, so that no full pipe stops it, and which no test outwaits.
final class RunningCommand {
  private let process = Process()
  private let files: URL
  private let words: [String]
  /// What has to stay as long as it runs, such as the folder it works in.
  var owner: AnyObject?

  init(_ words: [String], in folder: URL, environment: [String: String], timeout: Int) throws {
    self.words = words
    files = FileManager.default.temporaryDirectory.appendingPathComponent("nndist-output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    for name in ["out", "err"] { try Data().write(to: files.appendingPathComponent(name)) }
    // It passes signals on, returns the status of what it runs, and kills the whole group when time is up.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["--signal=KILL", "\(timeout)"] + words
    process.currentDirectoryURL = folder
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: files.appendingPathComponent("out"))
    process.standardError = try FileHandle(forWritingTo: files.appendingPathComponent("err"))
    try RunningCommand.withSignals { try process.run() }
  }

  /// Lets signals through while a process is started: it would inherit that the threads of the pool which tests run on
  /// block them, and never hear of SIGTERM.
  private static func withSignals(_ body: () throws -> Void) rethrows {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: files)
  }

  /// What it has written to standard output so far.
  var output: String { text("out") }

  /// What it has written to standard error so far.
  var errors: String { text("err") }

  /// The process of `timeout`, whose child the command is.
  var identifier: pid_t { process.processIdentifier }

  /// Whether it has not ended yet.
  var isRunning: Bool { process.isRunning }

  /// Sends it a signal.
  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits until a condition holds, looking again every 10 ms; false when the process ended before.
  func wait(until condition: () throws -> Bool) rethrows -> Bool {
    while true {
      if try condition() { return true }
      if !process.isRunning { return try condition() }
      usleep(10_000)
    }
  }

  /// Waits for its end.
  func result() -> CommandResult {
    process.waitUntilExit()
    let isKilled = process.terminationReason == .uncaughtSignal
    return CommandResult(
      command: words.map { URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: " "),
      status: isKilled ? 128 + process.terminationStatus : process.terminationStatus, output: output, errors: errors)
  }

  private func text(_ name: String) -> String {
    String(decoding: (try? Data(contentsOf: files.appendingPathComponent(name))) ?? Data(), as: UTF8.self)
  }
}

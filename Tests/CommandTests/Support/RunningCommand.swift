import Foundation

/// A process whose output goes to files, so that no full pipe stops it, and which no test outwaits.
final class RunningCommand {
  private let process: ChildProcess
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
    process = try ChildProcess(
      "/usr/bin/timeout", ["--signal=KILL", "\(timeout)"] + words, in: folder.path, environment: environment,
      output: files.appendingPathComponent("out").path, errors: files.appendingPathComponent("err").path)
  }

  deinit {
    process.signal(SIGKILL)
    try? FileManager.default.removeItem(at: files)
  }

  /// What it has written to standard output so far.
  var output: String { text("out") }

  /// What it has written to standard error so far.
  var errors: String { text("err") }

  /// The process of `timeout`, whose child the command is.
  var identifier: pid_t { process.identifier }

  /// Whether it has not ended yet.
  var isRunning: Bool { process.isRunning }

  /// Sends it a signal.
  func signal(_ number: Int32) { process.signal(number) }

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
    let status = process.wait()
    return CommandResult(
      command: words.map { URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: " "), status: status,
      output: output, errors: errors)
  }

  private func text(_ name: String) -> String {
    String(decoding: (try? Data(contentsOf: files.appendingPathComponent(name))) ?? Data(), as: UTF8.self)
  }
}

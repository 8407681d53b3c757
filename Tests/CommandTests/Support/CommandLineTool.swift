import Foundation
import Testing

/// The built `nndist`, run as a process in a fresh folder of its own, which goes with the last reference to it.
///
///     let tool = try CommandLineTool()
///     try tool.write("name: a\n…", to: "a.yaml")
///     let result = try tool.run("train", "a.yaml", "--json")
///     result.expectSuccess()
///     #expect(result.json["steps"] as? Int == 3)
///     try tool.run("train", "none.yaml").expectFailure(3, "none.yaml")
final class CommandLineTool {
  /// The working directory of every run.
  let folder: URL

  /// The checkout that these tests belong to.
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Makes the folder.
  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("nndist-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  // MARK: - Running

  /// Runs `nndist` with arguments.  Of this process's variables `NNDIST_…` are left out, and `HOME`
  /// is the folder; `environment` goes over that, nil removes a variable.  After `timeout` seconds it is killed (137).
  func run(
    _ arguments: String..., environment: [String: String?] = [:], timeout: Int = 120
  ) throws -> CommandResult {
    try run(arguments, environment: environment, timeout: timeout)
  }

  /// The same for arguments in an array.
  func run(
    _ arguments: [String], environment: [String: String?] = [:], timeout: Int = 120
  ) throws -> CommandResult {
    try start([CommandLineTool.executable().path] + arguments, environment: environment, timeout: timeout).result()
  }

  /// Runs `nndist` on ranks, by `launch/mpirun`.
  func mpirun(
    ranks: Int, _ arguments: String..., environment: [String: String?] = [:], timeout: Int = 180
  ) throws -> CommandResult {
    try start(mpirun(ranks, arguments), environment: environment, timeout: timeout).result()
  }

  /// The same for arguments in an array.
  func mpirun(
    ranks: Int, _ arguments: [String], environment: [String: String?] = [:], timeout: Int = 180
  ) throws -> CommandResult {
    try start(mpirun(ranks, arguments), environment: environment, timeout: timeout).result()
  }

  /// Starts `nndist`, to be signalled or looked at while it runs.
  func start(
    _ arguments: String..., environment: [String: String?] = [:], timeout: Int = 120
  ) throws -> RunningCommand {
    try start([CommandLineTool.executable().path] + arguments, environment: environment, timeout: timeout)
  }

  /// Starts `nndist` on ranks, by `launch/mpirun`, to be signalled or looked at while it runs.
  func startMPI(
    ranks: Int, _ arguments: String..., environment: [String: String?] = [:], timeout: Int = 180
  ) throws -> RunningCommand {
    try start(mpirun(ranks, arguments), environment: environment, timeout: timeout)
  }

  /// Runs any other program, in the same way.
  func run(
    program words: [String], environment: [String: String?] = [:], timeout: Int = 120
  ) throws -> CommandResult {
    try start(words, environment: environment, timeout: timeout).result()
  }

  /// Starts any other program, in the same way.
  func start(
    program words: [String], environment: [String: String?] = [:], timeout: Int = 120
  ) throws -> RunningCommand {
    try start(words, environment: environment, timeout: timeout)
  }

  private func mpirun(_ ranks: Int, _ arguments: [String]) -> [String] {
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    return [launcher, "-n", "\(ranks)", "nndist"] + arguments
  }

  private func start(
    _ words: [String], environment changes: [String: String?], timeout: Int
  ) throws -> RunningCommand {
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("NNDIST_") }
    environment["HOME"] = folder.path
    environment["NO_COLOR"] = nil
    // mpirun sits this out, twice, after every rank that fails.
    environment["NNDIST_KILL_SECONDS"] = "1"
    for (name, value) in changes { environment[name] = value }
    let command = try RunningCommand(words, in: folder, environment: environment, timeout: timeout)
    command.owner = self
    return command
  }

  /// `nndist`, built beside the bundle that holds these tests.
  static func executable() throws -> URL {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let places =
      (CommandLine.arguments + [own, Bundle.main.bundlePath]).filter { $0.contains("/") }.map {
        URL(fileURLWithPath: $0).deletingLastPathComponent()
      } + [repository.appendingPathComponent(".build/release")]
    let candidates = places.map { $0.appendingPathComponent("nndist") }
    guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw Missing(description: "no nndist in any of \(places.map(\.path)); build it first")
    }
    return found
  }

  /// What is not where it should be.
  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  // MARK: - Files of the folder

  /// Where a file of the folder lies.
  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Writes a file, with the folders above it.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String { try write(Data(text.utf8), to: name) }

  /// Writes a file, with the folders above it.
  @discardableResult
  func write(_ data: Data, to name: String) throws -> String {
    let file = folder.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  /// The bytes of a file.
  func data(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }

  /// The text of a file.
  func text(_ name: String) throws -> String { String(decoding: try data(name), as: UTF8.self) }

  /// Whether there is such a file or folder.
  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// Every file and folder below the folder, or below one of its folders, sorted.
  func names(below name: String = "") -> [String] {
    let found = try? FileManager.default.subpathsOfDirectory(atPath: path(name))
    return (found ?? []).sorted()
  }

  /// A small configuration that trains for a second or less: an MLP on the built-in digits.
  static let digits = """
    name: digits
    seed: 7
    model: {name: mlp, widths: [16]}
    data: digits
    training: {steps: 12, batch: 64, shards: 4}
    optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.9}

    """
}

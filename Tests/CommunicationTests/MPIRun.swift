import Foundation

/// The outcome of the laws' executable under mpirun.
struct MPIRun {
  let status: Int32
  let output: String
  let errors: String

  init(
    ranks: Int, _ arguments: [String] = [], options: [String] = [], timeout: String? = nil, transport: String? = nil
  ) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      [
        "mpirun", "-n", "\(ranks)", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "--mca",
        "odls_base_sigkill_timeout", "3", "--mca",
        "mpi_yield_when_idle", "1", "--mca", "btl_vader_single_copy_mechanism", "none",
      ] + options + [try MPIRun.executable().path] + arguments
    var environment = ProcessInfo.processInfo.environment
    environment["NNDIST_TIMEOUT_SECONDS"] = timeout
    environment["NNDIST_TRANSPORT"] = transport
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // Files and not pipes: a full pipe that nobody reads would stop the ranks.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("laws-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (outputFile, errorFile) = (folder.appendingPathComponent("out"), folder.appendingPathComponent("err"))
    for file in [outputFile, errorFile] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
    process.waitUntilExit()
    status = process.terminationStatus
    output = String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
    errors = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
  }

  /// `MPILaws`, built beside the bundle that holds these tests.
  private static func executable() throws -> URL {
    let candidates = (CommandLine.arguments + [Bundle.main.bundlePath, Bundle.main.executablePath ?? ""])
      .map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("MPILaws") }
    guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw Missing(description: "no MPILaws beside any of \(candidates.map(\.path)); build it first")
    }
    return found
  }

  struct Missing: Error, CustomStringConvertible {
    let description: String
  }
}

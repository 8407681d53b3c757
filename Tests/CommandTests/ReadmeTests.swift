import Datasets
import Federated
import Foundation
import Learning
import Strategies
import Testing

/// The README's commands run as they stand there.
@Suite("The README tells the truth")
struct ReadmeTests {
  private let text: String
  private let tool: CommandLineTool

  init() throws {
    tool = try CommandLineTool()
    text = try String(
      contentsOf: CommandLineTool.repository.appendingPathComponent("README.md"), encoding: .utf8)
  }

  /// The code blocks of a language, in order.
  private func blocks(_ language: String) -> [String] {
    text.components(separatedBy: "```\(language)\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
  }

  /// Runs a line of a block in a shell that finds `nndist` and `launch`.
  private func shell(_ line: String) throws -> CommandResult {
    let folder = try CommandLineTool.executable().deletingLastPathComponent().path
    let launch = CommandLineTool.repository.appendingPathComponent("launch").path
    let line = line.replacingOccurrences(of: "launch/mpirun", with: "\(launch)/mpirun")
    return try tool.run(program: ["bash", "-c", "PATH=\(folder):$PATH; \(line)"])
  }

  @Test("the first experiment gives one digest alone, on MPI ranks and on simulated ranks")
  func firstExperiment() throws {
    try tool.write(try #require(blocks("yaml").first), to: "first.yaml")
    let lines = blocks("sh")[1].split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    var digests: Set<String> = []
    for line in lines {
      let result = try shell(line)
      result.expectSuccess()
      digests.insert(try #require(result.outputLines.first { $0.hasPrefix("digest") }))
    }
    #expect(digests.count == 1)
  }

  @Test("keys change on the command line, and explain themselves")
  func keys() throws {
    try tool.write(try #require(blocks("yaml").first), to: "first.yaml")
    let lines = blocks("sh")[2].split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    for line in lines {
      let parts = line.components(separatedBy: "#")
      let result = try shell(parts[0])
      if line.contains("did you mean") {
        result.expectFailure(3, "did you mean `batch`?")
      } else {
        result.expectSuccess()
      }
    }
  }

  @Test("strategies are compared and chosen as it says, and its table names every one")
  func strategies() throws {
    try tool.write(try #require(blocks("yaml").first), to: "first.yaml")
    let lines = try #require(blocks("sh").first { $0.contains("bench strategies") }).split(separator: "\n")
    #expect(lines.count == 2)
    for line in lines {
      let command = line.components(separatedBy: " #")[0].replacingOccurrences(of: "--seeds 3", with: "--seeds 1")
      try shell("\(command) --set training.epochs=1").expectSuccess()
    }
    let table = try #require(text.components(separatedBy: "| `strategy` | what it does").dropFirst().first)
    for name in StrategyCatalog.all.map({ $0.name }) { #expect(table.contains("`\(name)`"), "\(name)") }
  }

  @Test("learning rules are compared and spread over ranks as it says, and its table names every one")
  func learning() throws {
    try tool.write(try #require(blocks("yaml").first), to: "first.yaml")
    let lines = try #require(blocks("sh").first { $0.contains("bench learning") }).split(separator: "\n")
    #expect(lines.count == 3)
    let comparison = lines[0].components(separatedBy: " #")[0].replacingOccurrences(of: "--seeds 3", with: "--seeds 1")
    try shell("\(comparison) --set training.epochs=1").expectSuccess()
    let digests = try lines.dropFirst().map { line in
      let result = try shell("\(line) --set training.epochs=2")
      result.expectSuccess()
      return try #require(result.outputLines.first { $0.hasPrefix("digest") })
    }
    #expect(digests[0] == digests[1])
    let table = try #require(text.components(separatedBy: "| `learning` | what a block learns").dropFirst().first)
    for name in LearningCatalog.all.map({ $0.name }) { #expect(table.contains("`\(name)`"), "\(name)") }
  }

  @Test("a fault happens as it says, and the run goes on to the digest of one that had none")
  func faults() throws {
    try tool.write(try #require(blocks("yaml").first), to: "first.yaml")
    let lines = try #require(blocks("sh").first { $0.contains("faults=") }).split(separator: "\n").map(String.init)
    #expect(lines.count == 2)
    try shell("\(lines[0]) --quiet").expectFailure(6, "rank 1", "step 500")
    let resumed = try shell("\(lines[1]) --json --quiet")
    resumed.expectSuccess()
    #expect(try resumed.digest == tool.run("train", "first.yaml", "--json", "--quiet").digest)
  }

  @Test("the list of layers trains")
  func layers() throws {
    let block = try #require(blocks("yaml").first { $0.contains("layers:") })
    try tool.write(
      block + "\ndata: digits\ntraining: {steps: 5, batch: 32, shards: 2}\noptimizer: {name: adam}\n", to: "layers.yaml"
    )
    try tool.run("train", "layers.yaml", "--quiet").expectSuccess()
  }

  @Test("the federation gives one digest on threads and on MPI ranks, and another by another strategy")
  func federation() throws {
    try tool.write(try #require(blocks("yaml").first { $0.contains("federated:") }), to: "federation.yaml")
    let lines = try #require(blocks("sh").first { $0.contains("simulate federation.yaml") }).split(separator: "\n")
    #expect(lines.count == 3)
    let digests = try lines.map { line in
      let result = try shell(String(line))
      result.expectSuccess()
      return try #require(result.outputLines.first { $0.hasPrefix("digest") })
    }
    #expect(digests[0] == digests[1] && digests[1] != digests[2])
  }

  @Test("the table of federated strategies names every one")
  func federatedStrategies() throws {
    let table = try #require(text.components(separatedBy: "| `federated.strategy` | what").dropFirst().first)
    for name in FederatedCatalog.all.map({ $0.name }) { #expect(table.contains("`\(name)`"), "\(name)") }
  }

  @Test("the table of partitions names every one")
  func partitions() throws {
    let table = try #require(text.components(separatedBy: "| `partition` | a client gets").dropFirst().first)
    for name in PartitionCatalog.all.map({ $0.name }) { #expect(table.contains("| `\(name)` |"), "\(name)") }
  }

  @Test("the table of verbs is that of the program")
  func verbs() throws {
    let help = try tool.run("--help").output
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `nndist ") }
    #expect(rows.count >= 10)
    for row in rows {
      let verb = row.dropFirst("| `nndist ".count).prefix { $0.isLetter }
      #expect(help.contains("\n  \(verb) "), "\(verb)")
    }
  }

  @Test("every configuration is in the table of results, and can be read")
  func configurations() throws {
    let folder = CommandLineTool.repository.appendingPathComponent("configs")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 5)
    for file in files {
      #expect(text.contains("`\(file)`"), "\(file)")
      let path = folder.appendingPathComponent(file).path
      let result = try tool.run("check", path, "--set", "training.bathc=1")
      result.expectFailure(3, "bathc")
    }
  }
}

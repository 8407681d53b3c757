import Foundation
import Testing

extension CommunicationSuites {
  @Suite("What the wire carries")
  struct WireTests {
    @Test("wire bytes are what Open MPI's monitoring counts, to the byte", arguments: [2, 3])
    func monitoring(ranks: Int) throws {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wire-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let run = try MPIRun(
        ranks: ranks, ["traffic"],
        options: [
          "--mca", "pml_monitoring_enable", "2", "--mca", "pml_monitoring_enable_output", "3",
          "--mca", "pml_monitoring_filename", folder.appendingPathComponent("rank").path,
        ])
      #expect(run.status == 0, "\(run.errors)")
      for rank in 0..<ranks {
        // "E", source, target, "1234 bytes", …: E is for external, the messages that the program itself sent.
        let profile = try String(contentsOf: folder.appendingPathComponent("rank.\(rank).prof"), encoding: .utf8)
        var counted: [Int] = []
        for line in profile.split(separator: "\n") where line.hasPrefix("E\t") {
          let columns = line.split(separator: "\t")
          if columns[1] == columns[2] { continue }  // a message to itself leaves no process
          counted.append(try #require(Int(columns[3].split(separator: " ")[0]), "\(line)"))
        }
        #expect(counted.count == ranks - 1, "\(profile)")
        #expect(run.output.contains("rank \(rank) gave \(counted.reduce(0, +)) bytes"), "\(run.output)")
      }
    }

    @Test(
      "a buffer beyond 2³¹ bytes arrives in pieces",
      .enabled(if: ProcessInfo.processInfo.environment["NNDIST_FULL_TESTS"] != nil))
    func long() throws {
      let run = try MPIRun(ranks: 2, ["long"])
      #expect(run.output.contains("2147483653 bytes arrived"), "\(run.errors)")
    }
  }
}

import Datasets
import Foundation
import Tensors
import Testing
import Training

@Suite("Checkpoints of every format that there was can be read")
struct EarlierCheckpointTests {
  static let folder = CommandLineTool.repository.appendingPathComponent("Tests/Fixtures/checkpoints")
  static let formats = [1, 2]

  /// The same step of the same training, written by a program of the time.
  func checkpoint(_ format: Int) throws -> Checkpoint {
    try Checkpoint.open(EarlierCheckpointTests.folder.appendingPathComponent("format-\(format)/step-4").path)
  }

  @Test("they hold the same numbers")
  func content() throws {
    let all = try EarlierCheckpointTests.formats.map(checkpoint)
    #expect(all.map(\.manifest.format) == EarlierCheckpointTests.formats)
    let models = try all.map { try SafetensorsFile.open("\($0.directory)/model.safetensors") }
    let states = try all.map { try $0.state() }
    #expect(Set(states[0].names.map { $0.prefix { $0 != "/" } }) == ["optimizer", "strategy"])
    for index in all.indices.dropFirst() {
      #expect(all[index].manifest.parametersDigest == all[0].manifest.parametersDigest)
      #expect(models[index].tensors.mapValues(\.shape) == models[0].tensors.mapValues(\.shape))
      for name in models[0].names { #expect(try models[index].floats(name) == models[0].floats(name), "\(name)") }
      #expect(states[index].names == states[0].names)
      for name in states[0].names {
        let shape = try #require(states[0].shape(name))
        #expect(states[index].shape(name) == shape)
        let numbers = try states.map { state in
          let storage = Storage(zeros: shape.count)
          try state.read(name, 0..<shape.count, into: storage.base)
          return Array(storage.scalars)
        }
        #expect(numbers[index] == numbers[0] && numbers[0].contains { $0 != 0 }, "\(name)")
      }
    }
  }

  @Test("training goes on from them, on any number of ranks, to the same end")
  func resume() throws {
    var digests: Set<String> = []
    for format in EarlierCheckpointTests.formats {
      for ranks in [1, 2, 4] {
        let tool = try CommandLineTool()
        let run = tool.folder.appendingPathComponent("run")
        try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          at: EarlierCheckpointTests.folder.appendingPathComponent("format-\(format)"),
          to: run.appendingPathComponent("checkpoints"))
        let result = try tool.run(
          "simulate", EarlierCheckpointTests.folder.appendingPathComponent("earlier.yaml").path, "--run", "run",
          "--resume", "--ranks", "\(ranks)", "--json")
        result.expectSuccess()
        #expect(try tool.text("run/log.txt").contains("steps 5 to 8"))
        digests.insert(result.digest)
      }
    }
    #expect(digests.count == 1 && digests.first?.count == 64)
  }
}

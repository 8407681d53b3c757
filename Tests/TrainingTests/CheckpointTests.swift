import Configuration
import Datasets
import Foundation
import Tensors
import Testing
import Training

@Suite("A checkpoint comes back bit by bit or not at all")
struct CheckpointTests {
  let folder: PersistenceFolder
  let sample = PersistenceSample(seed: 1)
  var checkpoints: Checkpoints { Checkpoints("\(folder.path)/checkpoints") }

  init() throws { folder = try PersistenceFolder() }

  /// All files of a checkpoint, the manifest among them.
  func files(_ step: Int) throws -> [String] {
    try folder.names("checkpoints/step-\(step)").map { "checkpoints/step-\(step)/\($0)" }
  }

  @Test func everythingComesBack() throws {
    let written = try checkpoints.write(sample, step: 12, isBest: true)
    let (found, warnings) = checkpoints.newestValid()
    let checkpoint = try #require(found)
    #expect(warnings == [])
    #expect(checkpoint.manifest == written.manifest)
    #expect(checkpoint.progress == sample.head(step: 12).progress)
    #expect(checkpoint.manifest.parametersDigest == Digest.parameters(sample.store))
    #expect(try Node.parse(checkpoint.manifest.configuration, file: "a") == sample.head(step: 12).configuration)
    let other = PersistenceSample(emptyLike: sample)
    try checkpoint.load(into: other)
    #expect(other.bits == sample.bits)
    #expect(try folder.names("checkpoints") == ["best", "last", "step-12"])
    #expect(
      try folder.names("checkpoints/step-12") == ["manifest.json", "model.safetensors", "state-0.safetensors"])
  }

  @Test func itsFilesAreSafetensorsByPyTorchsNames() throws {
    let directory = try checkpoints.write(sample, step: 3).directory
    let model = try SafetensorsFile.open("\(directory)/model.safetensors")
    #expect(
      Set(model.tensors.keys) == [
        "fc1.weight", "fc1.bias", "norm.weight", "norm.running_mean", "norm.running_var",
      ])
    #expect(model.tensors["fc1.weight"]?.shape == [40, 60])
    #expect(model.metadata["step"] == "3" && model.metadata["model"] == "mlp" && model.metadata["format"] == "pt")
    let state = try SafetensorsFile.open("\(directory)/state-0.safetensors")
    #expect(state.tensors["optimizer/fc1.weight.momentum"]?.shape == [40, 60])
    #expect(state.tensors.count == 6)
    let manifest = try folder.bytes("checkpoints/step-3/manifest.json")
    #expect(try JSONSerialization.jsonObject(with: Data(manifest)) is [String: Any])
  }

  @Test(arguments: [1, 2, 3, 7]) func anySliceIsRead(slices: Int) throws {
    let state = try checkpoints.write(sample, step: 1).state()
    let name = "optimizer/fc1.weight.momentum"
    let count = try #require(state.shape(name)).count
    var joined: [UInt32] = []
    for slice in 0..<slices {
      let range = (slice * count / slices)..<((slice + 1) * count / slices)
      let numbers = Storage(zeros: range.count)
      try state.read(name, range, into: numbers.base)
      joined += numbers.scalars.map(\.bitPattern)
    }
    #expect(joined == Array(sample.bits[2].prefix(count)))
  }

  // MARK: - Damage

  @Test func noTruncatedCheckpointIsWhole() throws {
    try checkpoints.write(sample, step: 1)
    try checkpoints.write(sample, step: 2)
    for name in try files(2) {
      let bytes = try folder.bytes(name)
      for length in Array(stride(from: 0, to: bytes.count, by: 1000)) + [bytes.count - 1] {
        try folder.write(Array(bytes[..<length]), to: name)
        #expect(throws: CheckpointError.self) { try Checkpoint.open(checkpoints.path(2)) }
        let (found, warnings) = checkpoints.newestValid()
        #expect(found?.progress.step == 1 && warnings.count == 1, "\(name) cut to \(length)")
        #expect(warnings.allSatisfy { !$0.contains("\n") })
      }
      try folder.write(bytes, to: name)
    }
    #expect(checkpoints.newestValid().checkpoint?.progress.step == 2)
  }

  @Test func noFlippedBitGoesUnseen() throws {
    try checkpoints.write(sample, step: 2)
    let names = try files(2)
    for (index, place) in persistenceRandom(2, below: 1 << 30, count: 240).enumerated() {
      let name = names[index % names.count]
      let bytes = try folder.bytes(name)
      var flipped = bytes
      flipped[(place >> 3) % bytes.count] ^= 1 << UInt8(place & 7)
      try folder.write(flipped, to: name)
      #expect(throws: CheckpointError.self, "\(name), bit \(place)") { try Checkpoint.open(checkpoints.path(2)) }
      try folder.write(bytes, to: name)
    }
    #expect(checkpoints.newestValid().checkpoint != nil)
  }

  @Test(arguments: ["manifest.json", "model.safetensors", "state-0.safetensors"])
  func aMissingOrForeignFileIsSeen(name: String) throws {
    try checkpoints.write(sample, step: 1)
    try checkpoints.write(sample, step: 2)
    try FileManager.default.removeItem(atPath: "\(checkpoints.path(2))/\(name)")
    #expect(checkpoints.newestValid().checkpoint?.progress.step == 1)
    let elsewhere = try PersistenceFolder()
    try Checkpoints(elsewhere.path).write(PersistenceSample(seed: 9), step: 2, model: "cnn")
    try folder.write(elsewhere.bytes("step-2/\(name)"), to: "checkpoints/step-2/\(name)")
    let (found, warnings) = checkpoints.newestValid()
    #expect(found?.progress.step == 1)
    #expect(warnings.count == 1)
  }

  static let forgeries = [
    ("\"step\": 1,", "\"step\": -1,"), ("\"format\": 2,", "\"format\": 3,"), ("\"format\": 2,", "\"format\": null,"),
    ("\"format\": 2,", "\"format\": 1,"), ("\"first\": 0,", "\"first\": 1,"), ("\"first\": 0,", "\"first\": -1,"),
    ("\"count\": 2400,", "\"count\": 2399,"), ("\"count\": 2400,", "\"count\": 9223372036854775807,"),
    ("\"shape\": [40, 60]", "\"shape\": [60, 40]"), ("\"shape\": [40, 60]", "\"shape\": [4294967296, 4294967296]"),
    ("\"file\": \"state-0.safetensors\"", "\"file\": \"model.safetensors\""),
    ("\"samples\": 704,", "\"samples\": 1e400,"), ("\"name\": \"model.safetensors\"", "\"name\": \"../model\""),
    ("\"name\": \"state-0.safetensors\"", "\"name\": \"model.safetensors\""), ("\"seed\": 7,", "\"seed\": [[[]]],"),
    ("\"files\": [", "\"files\": [7, "), ("\"seed\": 7,", "\"seed\": \(String(repeating: "[", count: 200_000)),"),
  ]

  @Test(arguments: forgeries.indices) func aForgedManifestIsRefused(index: Int) throws {
    let (from, to) = CheckpointTests.forgeries[index]
    try checkpoints.write(sample, step: 1)
    let text = try folder.text("checkpoints/step-1/manifest.json")
    #expect(text.contains(from))
    try folder.write(sealed(text.replacingOccurrences(of: from, with: to)), to: "checkpoints/step-1/manifest.json")
    #expect(throws: CheckpointError.self) { try Checkpoint.open(checkpoints.path(1)) }
    // The same hand leaves an honest manifest valid: it is the forgery that was refused.
    try folder.write(sealed(text), to: "checkpoints/step-1/manifest.json")
    #expect(try Checkpoint.open(checkpoints.path(1)).progress.step == 1)
  }

  /// A manifest with the checksum that its text deserves.
  func sealed(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let body = lines.dropLast(3).joined(separator: "\n") + "\n"
    return body + "  \"manifest_sha256\": \"\(Digest.text(body))\"\n}\n"
  }

  // MARK: - Others

  @Test func anotherModelIsRefusedAndNothingTouched() throws {
    let checkpoint = try checkpoints.write(sample, step: 1)
    let wide = PersistenceSample(seed: 3, hidden: 41)
    let before = wide.bits
    let error = #expect(throws: CheckpointError.self) { try checkpoint.load(into: wide.store) }
    #expect(error?.description.contains("fc1.weight") == true)
    #expect(RunError(try #require(error)).code == .checkpoint)
    #expect(wide.bits == before)
  }

  @Test func oldOnesGoAndTheBestStays() throws {
    let kept = Checkpoints(checkpoints.directory, keep: 2)
    for step in 1...6 { try kept.write(sample, step: step, isBest: step == 2) }
    #expect(kept.steps == [2, 5, 6])
    #expect(kept.linked("best") == 2 && kept.linked("last") == 6)
    #expect(try Checkpoint.open("\(kept.directory)/best").progress.step == 2)
  }

  @Test func whatAnInterruptedWriterLeftIsReportedThenRemoved() throws {
    try checkpoints.write(sample, step: 1)
    try FileManager.default.copyItem(atPath: checkpoints.path(1), toPath: checkpoints.path(2) + ".partial")
    let (found, warnings) = checkpoints.newestValid()
    #expect(found?.progress.step == 1)
    #expect(warnings.count == 1 && warnings[0].contains("step-2.partial"))
    // Stopped between making room for the new one and giving it its name.
    try FileManager.default.moveItem(atPath: checkpoints.path(1), toPath: checkpoints.path(1) + ".replaced")
    try checkpoints.write(sample, step: 3)
    #expect(try folder.names("checkpoints") == ["last", "step-1", "step-3"])
    #expect(try Checkpoint.open(checkpoints.path(1)).progress.step == 1)
  }

  @Test func theSameStepIsReplacedByWhatIsWrittenLast() throws {
    try checkpoints.write(sample, step: 4)
    let other = PersistenceSample(seed: 5)
    try checkpoints.write(other, step: 4)
    #expect(checkpoints.newestValid().checkpoint?.manifest.parametersDigest == Digest.parameters(other.store))
    #expect(try folder.names("checkpoints") == ["last", "step-4"])
  }

  @Test func aFailedWriteLeavesTheEarlierOnes() throws {
    try checkpoints.write(sample, step: 1)
    // In the way of a file, after the first one was written.
    let partial = checkpoints.path(2) + ".0.partial"
    try FileManager.default.createDirectory(
      atPath: "\(partial)/state-0.safetensors/in", withIntermediateDirectories: true)
    let error = #expect(throws: CheckpointError.self) { try checkpoints.write(sample, step: 2) }
    #expect(error?.kind == .unwritable)
    #expect(RunError(try #require(error)).code == .refused)
    #expect(try folder.names("checkpoints") == ["last", "step-1"])
    #expect(checkpoints.newestValid().checkpoint?.progress.step == 1)
    #expect(throws: CheckpointError.self) { try Checkpoints("/proc/nndist").write(sample, step: 1) }
  }

  @Test func anEmptyFolderHoldsNone() {
    let (found, warnings) = checkpoints.newestValid()
    #expect(found == nil && warnings == [] && checkpoints.steps == [])
  }
}

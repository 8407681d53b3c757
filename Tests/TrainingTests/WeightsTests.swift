import Datasets
import Foundation
import Tensors
import Testing
import Training

@Suite("Weights are taken whole and fitting, from a file, a checkpoint or a run")
struct WeightsTests {
  let folder: PersistenceFolder
  let sample = PersistenceSample(seed: 1)
  var file: String { "\(folder.path)/a.safetensors" }

  init() throws { folder = try PersistenceFolder() }

  /// The tensors of the sample as PyTorch would save them.
  func tensors() -> [SafetensorsWriter.Part] {
    let store = sample.store
    let parameters = store.layout.parameters.map {
      SafetensorsWriter.Part(name: $0.name, shape: $0.shape, floats: store.parameters.base + $0.range.lowerBound)
    }
    let states = store.layout.states.map {
      SafetensorsWriter.Part(name: $0.name, shape: $0.shape, floats: store.states.base + $0.range.lowerBound)
    }
    return parameters + states
  }

  func load(_ path: String? = nil) throws -> PersistenceSample {
    let other = PersistenceSample(emptyLike: sample)
    try Weights.load(path ?? file, into: other.store)
    return other
  }

  @Test func allPlacesGiveTheSameBits() throws {
    try Weights.write(file, sample.store, model: "mlp")
    #expect(Array(try load().bits[..<2]) == Array(sample.bits[..<2]))
    let run = "\(folder.path)/run"
    try Checkpoints("\(run)/checkpoints").write(sample, step: 5, isBest: true)
    let inside = [
      "", "/checkpoints", "/checkpoints/best", "/checkpoints/step-5", "/checkpoints/last/model.safetensors",
    ]
    for path in inside {
      #expect(Array(try load(run + path).bits[..<2]) == Array(sample.bits[..<2]), "\(path)")
    }
    #expect(try Weights.find(run).checkpoint?.manifest.model == "mlp")
  }

  @Test func aDamagedNewestCheckpointOfARunIsPassedOver() throws {
    let run = "\(folder.path)/run"
    let checkpoints = Checkpoints("\(run)/checkpoints")
    try checkpoints.write(sample, step: 5)
    try checkpoints.write(sample, step: 6)
    try folder.write("", to: "run/checkpoints/step-6/model.safetensors")
    let origin = try Weights.load(run, into: ParameterStore(sample.store.layout))
    #expect(origin.checkpoint?.progress.step == 5)
    #expect(origin.warnings.count == 1)
    #expect(throws: CheckpointError.self) { try load("\(run)/checkpoints/step-6") }
  }

  @Test func runningStatisticsMayBeMissingAndBatchCountsMayBeThere() throws {
    let count: [Int64] = [3]
    try count.withUnsafeBytes { bytes in
      let extra = SafetensorsWriter.Part(name: "norm.num_batches_tracked", type: .int64, shape: [], bytes: bytes)
      try SafetensorsWriter.write(file, tensors: Array(tensors()[..<3]) + [extra])
    }
    let loaded = try load()
    #expect(loaded.bits[0] == sample.bits[0])
    #expect(loaded.bits[1].allSatisfy { $0 == 0 })
  }

  @Test func theFirstTensorThatDoesNotFitIsNamed() throws {
    func message() throws -> String {
      let error = #expect(throws: CheckpointError.self) { try load() }
      #expect(error?.kind == .unsuitable)
      return error?.description ?? ""
    }
    let all = tensors()
    try SafetensorsWriter.write(file, tensors: Array(all[1...]))
    #expect(try message().contains("lacks `fc1.weight` [40, 60]"))
    let base = sample.store.parameters.base
    try SafetensorsWriter.write(file, tensors: [.init(name: "fc1.weight", shape: [60, 40], floats: base)] + all[1...])
    #expect(try message().contains("`fc1.weight` as [60, 40] where the model has [40, 60]"))
    try SafetensorsWriter.write(file, tensors: all + [.init(name: "fc2\n.weight", shape: [1], floats: base)])
    #expect(try message().contains("`fc2\\n.weight`, which the model does not have"))
    try SafetensorsWriter.write(file, tensors: [SafetensorsWriter.Part]())
    #expect(try message().contains("it holds nothing"))
    let integers = [Int32](repeating: 1, count: 2400)
    try integers.withUnsafeBytes { bytes in
      let part = SafetensorsWriter.Part(name: "fc1.weight", type: .int32, shape: [40, 60], bytes: bytes)
      try SafetensorsWriter.write(file, tensors: [part] + all[1...])
    }
    #expect(try message().contains("I32"))
  }

  @Test func nothingIsTouchedWhenTheLastTensorDoesNotFit() throws {
    let extra = SafetensorsWriter.Part(name: "more", shape: [1], floats: sample.store.parameters.base)
    try SafetensorsWriter.write(file, tensors: tensors() + [extra])
    let other = PersistenceSample(seed: 8)
    let before = other.bits
    #expect(throws: CheckpointError.self) { try Weights.load(file, into: other.store) }
    #expect(other.bits == before)
  }

  static func header(_ shape: String, _ offsets: String, _ name: String = "fc1.weight") -> String {
    "{\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
  }

  /// Headers that promise what cannot be, with the number of bytes that follow them.
  static let hostile: [(String, Int)] = [
    ("", 0), ("{", 0), ("[]", 0), ("{\"__metadata__\":7}", 0),
    (header("[40,60]", "[0,9600]"), 9599), (header("[40,60]", "[0,9600]"), 9601),
    (header("[4611686018427387904,4]", "[0,0]"), 0), (header("[4294967296,4294967296]", "[0,0]"), 0),
    (header("[99999999999999999999]", "[0,4]"), 4), (header("[-1,-4]", "[0,16]"), 16),
    (header("[0,9223372036854775807,9223372036854775807]", "[0,4]"), 4),
    (header("[1]", "[9223372036854775804,9223372036854775807]"), 4), (header("[1]", "[4,0]"), 4),
    (String(header("[2]", "[0,8]", "a").dropLast()) + "," + header("[2]", "[4,12]", "b").dropFirst(), 12),
    (String(repeating: "{\"a\":", count: 100_000), 0),
  ]

  @Test(arguments: hostile.indices) func aHostileFileIsRefused(index: Int) throws {
    let (header, data) = WeightsTests.hostile[index]
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
    try folder.write(length + Array(header.utf8) + [UInt8](repeating: 0, count: data), to: "a.safetensors")
    let error = #expect(throws: CheckpointError.self) { try load() }
    #expect(error?.description.contains("\n") == false)
  }

  @Test(arguments: [UInt64.max, 1 << 63, 1 << 40, 100_000_001, 10_000])
  func aHugeHeaderIsRefused(length: UInt64) throws {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
    try folder.write(bytes + [UInt8](repeating: 0x7B, count: 100), to: "a.safetensors")
    #expect(throws: CheckpointError.self) { try load() }
  }

  @Test func truncationsAndFlippedHeadersNeverCrash() throws {
    try Weights.write(file, sample.store, model: "mlp")
    let bytes = try folder.bytes("a.safetensors")
    for length in stride(from: 0, to: bytes.count, by: 997) {
      try folder.write(Array(bytes[..<length]), to: "a.safetensors")
      #expect(throws: CheckpointError.self) { try load() }
    }
    // A bare file has no checksum: a flip in its header is refused or harmless, never a trap.
    for place in persistenceRandom(3, below: 8 * 600, count: 400) {
      var flipped = bytes
      flipped[place >> 3] ^= 1 << UInt8(place & 7)
      try folder.write(flipped, to: "a.safetensors")
      _ = try? load()
    }
  }

  @Test(arguments: ["nowhere", ".", "a.safetensors/b"]) func aPathWithoutWeightsIsNamed(name: String) throws {
    try folder.write("", to: "a.safetensors")
    let path = "\(folder.path)/\(name)"
    let error = #expect(throws: CheckpointError.self) { try load(path) }
    #expect(error?.kind == .missing && error?.description.contains(path) == true)
  }
}

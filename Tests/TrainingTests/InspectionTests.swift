import Datasets
import Foundation
import Tensors
import Testing
import Training

@Suite("What lies at a path can be looked at")
struct InspectionTests {
  let folder: PersistenceFolder
  let sample = PersistenceSample(seed: 1)

  init() throws { folder = try PersistenceFolder() }

  @Test func aCheckpoint() throws {
    let directory = try Checkpoints(folder.path).write(sample, step: 20).directory
    let inspection = try Inspection(directory)
    #expect(inspection.json["kind"] == "checkpoint" && inspection.json["step"] == 20)
    #expect(inspection.json["parameters_digest"] == .text(Digest.parameters(sample.store)))
    #expect(inspection.text.contains("fc1.weight.momentum") && inspection.text.contains("[40, 60]"))
    #expect(inspection.text.contains("2 not"))
    try folder.write("x", to: "step-20/model.safetensors")
    let error = #expect(throws: RunError.self) { try Inspection(directory) }
    #expect(error?.code == .checkpoint)
  }

  @Test func aRun() throws {
    let path = "\(folder.path)/run"
    let run = try RunDirectory(name: "a", path: path)
    let checkpoints = Checkpoints(run.checkpointsPath)
    for step in 1...3 { try checkpoints.write(sample, step: step, isBest: step == 2) }
    try folder.write("", to: "run/checkpoints/step-1/model.safetensors")
    var line = Metrics()
    line.step = 3
    try run.metrics().write(line)
    try run.finish(["accuracy": 0.5])
    let inspection = try Inspection(path)
    #expect(inspection.json["finished"] == true && inspection.json["result"] == ["accuracy": 0.5])
    guard case .list(let list) = inspection.json["checkpoints"] else {
      Issue.record("no list of checkpoints")
      return
    }
    #expect(list.count == 3)
    #expect(list[0].text.contains("\"valid\": false"))
    #expect(list[1].text.contains("\"best\": true") && list[2].text.contains("\"last\": true"))
    #expect(inspection.text.contains("whole, best") && inspection.text.contains("damaged"))
  }

  @Test func arrayFiles() throws {
    let numbers: [Float] = [1, -2, .nan, 4]
    try NPYFile.write("\(folder.path)/a.npy", shape: [2, 2], floats: numbers)
    let array = try Inspection("\(folder.path)/a.npy")
    #expect(array.json["kind"] == "npy")
    let expected: JSONValue = [
      "name": "a.npy", "type": "F32", "shape": [2, 2], "bytes": 16, "minimum": -2.0, "maximum": 4.0, "mean": 1.0,
      "not_finite": 1,
    ]
    #expect(array.json["tensors"] == .list([expected]))
    try numbers.withUnsafeBytes { bytes in
      try NPZFile.write("\(folder.path)/a.npz", [.init(name: "x", shape: [4], bytes: bytes)])
    }
    #expect(try Inspection("\(folder.path)/a.npz").text.contains("1 tensors, 4 scalars, 16 bytes"))
    try Weights.write("\(folder.path)/a.safetensors", sample.store, model: "m\nn")
    let weights = try Inspection("\(folder.path)/a.safetensors")
    #expect(weights.json["kind"] == "safetensors" && weights.text.contains("\"model\": \"m\\nn\""))
  }

  @Test func whatIsNotThereOrDamaged() throws {
    func code(_ name: String) -> ExitCode? {
      do { _ = try Inspection("\(folder.path)/\(name)") } catch { return error.code }
      return nil
    }
    for name in ["a.npy", "a.npz", "a.safetensors"] { try folder.write("abc", to: name) }
    #expect(code("a.npy") == .data && code("a.npz") == .data)
    #expect(code("a.safetensors") == .checkpoint && code("b") == .checkpoint && code("") == .checkpoint)
  }
}

@Suite("The digest is that of the parameters' bytes")
struct DigestTests {
  @Test func knownValues() {
    // SHA-256 of nothing and of "abc": FIPS 180-4.
    #expect(Digest.text("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(Digest.text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test func everyBitCounts() {
    let sample = PersistenceSample(seed: 1)
    let digest = Digest.parameters(sample.store)
    #expect(Digest.blocks([sample.store.parameters]) == digest)
    sample.store.states.base[0] += 1
    #expect(Digest.parameters(sample.store) == digest)
    #expect(Digest.parameters(sample.store, then: [sample.momentum]) != digest)
    sample.store.parameters.base[2] = 0
    #expect(Digest.parameters(sample.store) != digest, "minus zero is not zero")
  }
}

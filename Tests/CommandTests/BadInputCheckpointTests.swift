import Foundation
import Testing

@Suite("Bad checkpoints are exit 5, in one line, with nothing left behind")
struct BadInputCheckpointTests {
  /// A folder with a run of the digits.
  private func folder() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try tool.run("train", "a.yaml", "--run", "run", "--set", "checkpoint.every=4 steps").expectSuccess()
    return tool
  }

  private let weights = "run/checkpoints/step-12/model.safetensors"

  private func expect(
    _ tool: CommandLineTool, _ file: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectRefusal(
      tool, ["train", "a.yaml", "--set", "model.weights=\(file)", "--run", "other"], 5, [file] + words,
      sourceLocation: sourceLocation)
  }

  /// A safetensors file of this header and as many bytes of data.
  private func safetensors(_ header: String, bytes: Int, length: UInt64? = nil) -> Data {
    var count = (length ?? UInt64(header.utf8.count)).littleEndian
    return withUnsafeBytes(of: &count) { Data($0) } + Data(header.utf8) + Data(count: bytes)
  }

  @Test("weights that are good are taken, from a file, a checkpoint or a run")
  func good() throws {
    let tool = try folder()
    var digests: [String] = []
    for place in [weights, "run/checkpoints/step-12", "run"] {
      let result = try tool.run("train", "a.yaml", "--json", "--set", "model.weights=\(place)")
      result.expectSuccess()
      digests.append(result.digest)
    }
    #expect(Set(digests).count == 1)
    let fresh = try tool.run("train", "a.yaml", "--json")
    #expect(fresh.digest != digests[0])
  }

  @Test("weights that are cut off, or not there")
  func truncated() throws {
    let tool = try folder()
    let whole = try tool.data(weights)
    for count in [0, 7, 8, 100, whole.count - 1] {
      try tool.write(whole.prefix(count), to: "cut.safetensors")
      try expect(tool, "cut.safetensors")
    }
    try tool.write(whole + Data([0]), to: "cut.safetensors")
    try expect(tool, "cut.safetensors")
    try expect(tool, "none.safetensors", "no such file")
  }

  @Test("weights of another model name what differs")
  func other() throws {
    let tool = try folder()
    try expectRefusal(
      tool, ["train", "a.yaml", "--set", "model.weights=run", "--set", "model.widths=[8]"], 5, ["1.weight", "16", "8"])
    try expectRefusal(
      tool, ["train", "a.yaml", "--set", "model={name: mlp, widths: [16, 16], weights: run}"], 5, ["3.weight"])
    try expectRefusal(tool, ["train", "a.yaml", "--set", "model={name: cnn, weights: run}"], 5, ["c1.weight"])
  }

  @Test("hostile files: endless headers, ranges that overlap or lead outside, shapes that overflow")
  func hostile() throws {
    let tool = try folder()
    let files: [(String, Data)] = [
      ("huge", safetensors("{}", bytes: 0, length: .max)),
      ("large", safetensors("{}", bytes: 64, length: 1 << 62)),
      ("long", safetensors("{}", bytes: 64, length: 100_000_001)),
      (
        "overlap",
        safetensors(
          #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
          bytes: 12)
      ),
      ("outside", safetensors(#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, bytes: 8)),
      ("negative", safetensors(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, bytes: 8)),
      ("backwards", safetensors(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, bytes: 8)),
      (
        "overflow",
        safetensors(
          #"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#, bytes: 8)
      ),
      ("gap", safetensors(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, bytes: 8)),
      ("deep", safetensors(String(repeating: "[", count: 100_000), bytes: 8)),
      ("words", safetensors("not JSON at all", bytes: 8)),
      ("type", safetensors(#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, bytes: 4)),
      (
        "twice",
        safetensors(
          #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
          bytes: 4)
      ),
    ]
    for (name, data) in files {
      try tool.write(data, to: "\(name).safetensors")
      try expect(tool, "\(name).safetensors")
      try expectRefusal(tool, ["inspect", "\(name).safetensors"], 5, ["\(name).safetensors"])
    }
  }

  @Test("a checkpoint whose files were changed is refused as a start")
  func damaged() throws {
    let tool = try folder()
    var bytes = try tool.data(weights)
    bytes[bytes.count - 5] ^= 1
    try tool.write(bytes, to: weights)
    try expect(tool, "run/checkpoints/step-12", "damaged")
    try expectRefusal(tool, ["evaluate", "run/checkpoints/step-12"], 5, ["run/checkpoints/step-12", "damaged"])
    try tool.write("{}", to: "run/checkpoints/step-12/manifest.json")
    try expect(tool, "run/checkpoints/step-12", "manifest.json")
    try expectRefusal(tool, ["evaluate", "run/checkpoints/step-12"], 5, ["run/checkpoints/step-12", "manifest.json"])
    try expectRefusal(tool, ["evaluate", "nothing"], 5, ["nothing"])
  }

  @Test("--resume passes over damaged checkpoints, says so, and comes to the same result")
  func resume() throws {
    let tool = try folder()
    let whole = try tool.run("train", "a.yaml", "--json")
    for damaged in [[12], [12, 8], [12, 8, 4]] {
      for step in damaged {
        let file = "run/checkpoints/step-\(step)/model.safetensors"
        try tool.write(try tool.data(file).dropLast(9), to: file)
      }
      try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
      let result = try tool.run(
        "train", "a.yaml", "--run", "run", "--resume", "--json", "--set", "checkpoint.every=4 steps")
      result.expectSuccess()
      #expect(result.digest == whole.digest)
      for step in damaged { #expect(result.errors.contains("step-\(step)"), "\(result.errors)") }
      #expect(result.errors.contains("from the beginning") == (damaged.count == 3))
    }
  }

  @Test("--resume with another model or optimizer")
  func resumeOther() throws {
    let tool = try folder()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    for (change, word) in [("model.widths=[8]", "1.weight"), ("optimizer=adam", "another optimizer")] {
      let before = tool.names()
      let result = try tool.run("train", "a.yaml", "--run", "run", "--resume", "--set", change)
      result.expectFailure(5, word)
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(tool.names() == before)
    }
    // The run is as it was.
    try tool.run("train", "a.yaml", "--run", "run", "--resume").expectSuccess()
  }
}

import Foundation
import Testing

/// A run of a few steps on the digits; a new one for each test, it takes a fraction of a second.
private func trained(_ tool: CommandLineTool, _ settings: String...) throws -> [String: Any] {
  try tool.write(CommandLineTool.digits, to: "digits.yaml")
  let flags = settings.flatMap { ["--set", $0] }
  let result = try tool.run(["train", "digits.yaml", "--json", "--quiet", "--run", "run"] + flags)
  result.expectSuccess()
  return result.json
}

/// An array of an .npy file of version 1.
private struct Array2 {
  let type: String
  let shape: [Int]
  let bytes: Data

  init(_ data: Data) throws {
    try #require(data.count > 10 && data[0] == 0x93)
    let length = Int(data[8]) | Int(data[9]) << 8
    let header = String(decoding: data[10..<(10 + length)], as: UTF8.self)
    type = String(header.split(separator: "'")[3])
    let extents = try #require(header.split(separator: "(").last?.split(separator: ")").first)
    shape = extents.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    bytes = data[(10 + length)...]
  }

  func scalars<T: BitwiseCopyable>(_ type: T.Type) -> [T] {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<T>.stride).map {
        raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: T.self)
      }
    }
  }

  static func file(_ type: String, _ shape: [Int], _ bytes: Data) -> Data {
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    let length = header.utf8.count
    return Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, UInt8(length & 255), UInt8(length >> 8)])
      + Data(header.utf8) + bytes
  }

  static func floats(_ shape: [Int], _ value: (Int) -> Float) -> Data {
    let numbers = (0..<shape.reduce(1, *)).map(value)
    return file("<f4", shape, numbers.withUnsafeBytes { Data($0) })
  }
}

@Suite("evaluate")
struct EvaluateTests {
  @Test(
    "It gives the bits of the training, from a run, a checkpoint and a link",
    arguments: ["run", "run/checkpoints/step-12", "run/checkpoints/last", "run/checkpoints"])
  func sameBits(_ path: String) throws {
    let tool = try CommandLineTool()
    let training = try trained(tool, "model.dropout=0.2")
    let result = try tool.run("evaluate", path, "--json")
    result.expectSuccess()
    for key in ["loss", "accuracy"] { #expect(result.json[key] as? Double == training[key] as? Double) }
    #expect(result.json["parameters_digest"] as? String == training["parameters_digest"] as? String)
    #expect(result.json["samples"] as? Int == 359)
    #expect(result.json["verb"] as? String == "evaluate")
  }

  @Test("Threads change no bit", arguments: [1, 2, 3])
  func threads(_ threads: Int) throws {
    let tool = try CommandLineTool()
    let training = try trained(tool, "training.evaluation-batch=50")
    let result = try tool.run("evaluate", "run", "--json", "--set", "compute.threads=\(threads)")
    #expect(result.json["loss"] as? Double == training["loss"] as? Double)
  }

  @Test("A weights file needs a configuration, and takes one")
  func weightsFile() throws {
    let tool = try CommandLineTool()
    let training = try trained(tool)
    let file = "run/checkpoints/last/model.safetensors"
    try tool.run("evaluate", file).expectFailure(2, file, "--config FILE")
    let result = try tool.run("evaluate", file, "--config", "digits.yaml", "--json")
    result.expectSuccess()
    #expect(result.json["loss"] as? Double == training["loss"] as? Double)
  }

  @Test("For people it says accuracy, loss and digest")
  func people() throws {
    let tool = try CommandLineTool()
    let digest = try #require(try trained(tool)["parameters_digest"] as? String)
    let result = try tool.run("evaluate", "run")
    result.expectSuccess()
    for word in ["accuracy", "loss", "359 samples of digits", digest] { #expect(result.output.contains(word)) }
    #expect(result.errors == "")
  }

  @Test("What is not there or does not fit is said")
  func misfits() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    try tool.run("evaluate", "none").expectFailure(5, "none")
    try tool.run("evaluate", "digits.yaml", "--config", "digits.yaml").expectFailure(5, "digits.yaml")
    try tool.run("evaluate", "run", "--set", "model.widths=[20]").expectFailure(5, "`1.weight`")
    try tool.run("evaluate", "run", "--set", "model.widhts=[20]").expectFailure(3, "widhts", "did you mean `widths`?")
    try tool.run("evaluate", "run", "--data", "mnst").expectFailure(3, "mnst", "did you mean `mnist`?")
    try tool.run("evaluate", "run", "--data", "mnist", environment: ["NNDIST_DATA": nil])
      .expectFailure(4, "mnist", "nndist data fetch mnist")
  }

  @Test("Another data set is read in place of the configuration's")
  func otherData() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    try tool.write(Array2.floats([6, 8, 8, 1]) { Float($0 % 17) / 17 }, to: "set/x_test.npy")
    try tool.write(Array2.floats([6, 8, 8, 1]) { Float($0 % 13) / 13 }, to: "set/x_train.npy")
    let labels = Array2.file("|u1", [6], Data([0, 1, 2, 3, 4, 9]))
    for name in ["y_test", "y_train"] { try tool.write(labels, to: "set/\(name).npy") }
    let result = try tool.run("evaluate", "run", "--data", "{format: npy, path: set}", "--json")
    result.expectSuccess()
    #expect(result.json["samples"] as? Int == 6)
    try tool.write(Array2.file("|u1", [6], Data([0, 1, 2, 3, 4, 4])), to: "set/y_train.npy")
    try tool.write(Array2.file("|u1", [6], Data([0, 1, 2, 3, 4, 4])), to: "set/y_test.npy")
    try tool.run("evaluate", "run", "--data", "{format: npy, path: set}").expectFailure(
      4, "does not fit the model of run")
  }
}

@Suite("predict")
struct PredictTests {
  @Test("Logits and classes of a set agree with each other and with the accuracy")
  func set() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    let logits = try tool.run("predict", "run", "--data", "digits", "-o", "logits.npy", "--json")
    logits.expectSuccess()
    #expect(logits.json["samples"] as? Int == 359)
    #expect(logits.json["shape"] as? [Int] == [359, 10])
    try tool.run("predict", "run", "--data", "digits", "--output", "classes.npy", "--classes").expectSuccess()
    let rows = try Array2(tool.data("logits.npy"))
    let classes = try Array2(tool.data("classes.npy"))
    #expect(rows.type == "<f4" && rows.shape == [359, 10])
    #expect(classes.type == "<i8" && classes.shape == [359])
    let numbers = rows.scalars(Float.self)
    for (row, predicted) in classes.scalars(Int64.self).enumerated() {
      let own = numbers[row * 10..<row * 10 + 10]
      #expect(own[own.startIndex + Int(predicted)] == own.max())
    }
  }

  @Test("A file's rows give what the same samples in other chunks give")
  func chunks() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    try tool.write(Array2.floats([70, 8, 8, 1]) { Float(($0 * 37) % 17) / 16 }, to: "x.npy")
    try tool.run("predict", "run", "--data", "x.npy", "-o", "a.npy", "--set", "compute.threads=1").expectSuccess()
    try tool.run("predict", "run", "--data", "x.npy", "-o", "b.npy", "--set", "compute.threads=2").expectSuccess()
    #expect(try tool.data("a.npy") == tool.data("b.npy"))
    #expect(try Array2(tool.data("a.npy")).shape == [70, 10])
  }

  @Test("Bytes are pixels, scaled as in training; numbers are taken as they are")
  func pixels() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool, "data.mean=[0.3]", "data.deviation=[0.4]")
    let pixels = (0..<3 * 64).map { UInt8($0 % 17) }
    try tool.write(Array2.file("|u1", [3, 8, 8], Data(pixels)), to: "pixels.npy")
    try tool.write(Data([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 8] + pixels), to: "pixels.idx")
    try tool.write(Array2.floats([3, 64]) { (Float(pixels[$0]) / 16 - 0.3) / 0.4 }, to: "numbers.npy")
    let csv = (0..<3).map { row in
      (0..<64).map { "\((Float(pixels[row * 64 + $0]) / 16 - 0.3) / 0.4)" }.joined(separator: ",")
    }
    try tool.write(csv.joined(separator: "\n") + "\n", to: "numbers.csv")
    for name in ["pixels.npy", "pixels.idx", "numbers.npy", "numbers.csv"] {
      try tool.run("predict", "run", "--data", name, "-o", "\(name).out.npy").expectSuccess()
      #expect(try tool.data("\(name).out.npy") == tool.data("pixels.npy.out.npy"), "\(name)")
    }
  }

  @Test("What does not fit is exit 4 and writes nothing")
  func misfits() throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    try tool.write(Array2.floats([5, 7, 7]) { _ in 0 }, to: "small.npy")
    try tool.write("1,2\n3,x\n", to: "text.csv")
    try tool.write(Data("not an array".utf8), to: "bad.npy")
    func predict(_ data: String, _ code: Int32, _ word: String) throws {
      try tool.run("predict", "run", "--data", data, "-o", "out.npy").expectFailure(code, word)
    }
    try predict("small.npy", 4, "small.npy is [5, 7, 7] and the model takes [n, 8, 8, 1]")
    try predict("text.csv", 4, "text.csv:2")
    try predict("bad.npy", 4, "bad.npy")
    try predict("none.npy", 4, "none.npy")
    try predict("dgits", 4, "did you mean digits?")
    #expect(!tool.exists("out.npy"))
    try tool.run("predict", "run", "--data", "digits", "-o", "no/out.npy").expectFailure(9, "no/out.npy")
    #expect(tool.names().filter { $0.hasSuffix(".partial") } == [])
  }
}

@Suite("inspect")
struct InspectTests {
  @Test(
    "It knows runs, checkpoints and array files",
    arguments: [
      ("run", "run"), ("run/checkpoints/last", "checkpoint"), ("run/checkpoints/last/model.safetensors", "safetensors"),
      ("x.npy", "npy"),
    ])
  func kinds(_ path: String, _ kind: String) throws {
    let tool = try CommandLineTool()
    _ = try trained(tool)
    try tool.write(Array2.floats([2, 3]) { Float($0) }, to: "x.npy")
    let result = try tool.run("inspect", path, "--json")
    result.expectSuccess()
    #expect(result.json["kind"] as? String == kind)
    #expect(result.json["verb"] as? String == "inspect")
    let people = try tool.run("inspect", path)
    people.expectSuccess()
    #expect(people.output.contains(path))
  }

  @Test("What is not there is exit 5")
  func missing() throws {
    try CommandLineTool().run("inspect", "none").expectFailure(5, "none")
  }
}

import Datasets
import Foundation
import Tensors
import Testing

@Suite("Safetensors files")
struct SafetensorsTests {
  let folder = Folder()

  func open(_ bytes: [UInt8]) throws -> SafetensorsFile { try SafetensorsFile.open(folder.write("f", bytes)) }

  @Test("every type decodes to Float32")
  func types() throws {
    let data: [(String, [UInt8], [Float])] = [
      ("F64", [0, 0, 0, 0, 0, 0, 0xF8, 0xBF], [-1.5]), ("F32", [0, 0, 0xC0, 0x3F], [1.5]),
      ("F16", [0, 0xBE, 0xFF, 0x83, 0, 0x80], [-1.5, -0x3FFp-24, -0.0]), ("BF16", [0xC0, 0x3F], [1.5]),
      ("I64", [255, 255, 255, 255, 255, 255, 255, 255], [-1]), ("I32", [0, 1, 0, 0], [256]), ("U8", [200], [200]),
      ("BOOL", [1, 0], [1, 0]),
    ]
    for (name, bytes, expected) in data {
      let header =
        "{\"t\":{\"dtype\":\"\(name)\",\"shape\":[\(expected.count)],\"data_offsets\":[0,\(bytes.count)]}}"
      let file = try open(safetensors(header, bytes))
      #expect(try file.floats("t").map(\.bitPattern) == expected.map(\.bitPattern), "\(name)")
    }
  }

  @Test("what was written is read: names, shapes, metadata, alignment", arguments: [false, true])
  func roundTrip(durable: Bool) throws {
    let a = (0..<6).map { Float($0) }
    let b: [Float] = [7]
    let c: [UInt8] = [1, 2, 3]
    let path = "\(folder.path)/r.safetensors"
    let metadata = ["format": "pt", "quote\"\\": "tab\t\u{1}é🙂"]
    try a.withUnsafeBufferPointer { a in
      try b.withUnsafeBufferPointer { b in
        try c.withUnsafeBytes { c in
          if let a = a.baseAddress, let b = b.baseAddress {
            try SafetensorsWriter.write(
              path, metadata: metadata,
              tensors: [
                .init(name: "bytes", type: .uint8, shape: [3], bytes: c),
                .init(name: "layer.weight", shape: [2, 3], floats: a), .init(name: "scalar", shape: [], floats: b),
              ], durable: durable)
          }
        }
      }
    }
    let file = try SafetensorsFile.open(path)
    #expect(file.metadata == metadata)
    #expect(file.names == ["layer.weight", "scalar", "bytes"])
    #expect(file.tensors["layer.weight"] == TensorEntry(type: .float32, shape: [2, 3], range: 0..<24))
    #expect(try file.floats("layer.weight") == a)
    #expect(try file.floats("scalar") == b)
    #expect(try file.integers("bytes") == [1, 2, 3])
    #expect(try file.withBytes("layer.weight") { Int(bitPattern: $0.baseAddress) % 64 } == 0)
    var copy = [Float](repeating: 0, count: 6)
    try copy.withUnsafeMutableBufferPointer { try file.copyFloats("layer.weight", into: $0) }
    #expect(copy == a)
    #expect(folder.names == ["r.safetensors"])
    #expect(message { _ = try file.floats("none") }.contains("holds no tensor none"))
    #expect(
      message { try copy.withUnsafeMutableBufferPointer { try file.copyFloats("scalar", into: $0) } }
        .contains("not of the 6 scalars"))
  }

  @Test("hostile headers are refused")
  func refuses() {
    func fault(_ header: String, _ data: Int = 0) -> String {
      message { _ = try open(safetensors(header, [UInt8](repeating: 0, count: data))) }
    }
    func tensor(_ name: String, _ first: Int, _ end: Int, shape: String, type: String = "F32") -> String {
      "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(first),\(end)]}"
    }
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1]"))}", 4) == "no error")
    #expect(fault("{}") == "no error")
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1]")),\(tensor("b", 0, 4, shape: "[1]"))}", 4).contains("overlaps"))
    #expect(fault("{\(tensor("a", 0, 8, shape: "[2]")),\(tensor("b", 4, 8, shape: "[1]"))}", 8).contains("overlaps"))
    #expect(fault("{\(tensor("a", 4, 8, shape: "[1]"))}", 8).contains("gap"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1]"))}", 8).contains("8 follow"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1]"))}", 3).contains("3 follow"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[2]"))}", 4).contains("for 8 bytes"))
    #expect(fault("{\(tensor("a", 4, 0, shape: "[1]"))}", 4).contains("for 4 bytes"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[-1]"))}", 4).contains("no list of whole numbers"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[4611686018427387904,8]"))}", 4).contains("absurd shape"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[99999999999999999999]"))}", 4).contains("beyond 64 bits"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[01]"))}", 4).contains("no list of whole numbers"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1.5]"))}", 4).contains("lacks"))
    #expect(fault("{\(tensor("a", 0, 4, shape: "[1]", type: "F31"))}", 4).contains("unknown type F31"))
    let one = tensor("a", 0, 4, shape: "[1]")
    #expect(fault("{\(one),\(one)}", 4).contains("names tensor a twice"))
    #expect(fault("{\(one)} {}", 4).contains("goes on after its end"))
    #expect(fault(" {\(one)}", 4).contains("does not begin"))
    #expect(fault("{\(one),}", 4).contains("lacks"))
    #expect(fault("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}").contains("unknown or second"))
    #expect(fault("{\"a\":{\"dtype\":\"F32\"}}").contains("lacks type, shape or two offsets"))
    #expect(fault("{\"a\":[[[[").contains("lacks"))
    #expect(fault("{\"__metadata__\":{\"a\":1}}").contains("lacks"))
    #expect(fault("{\"\\ud800\":1}").contains("surrogate"))
    #expect(fault("{\"a").contains("ends inside a string"))
    #expect(fault("[]").contains("does not begin"))
    #expect(message { _ = try open([1, 0, 0]) }.contains("too few"))
    #expect(
      message { _ = try open([255, 255, 255, 255, 255, 255, 255, 255, 0x7B]) }.contains("not a whole safetensors"))
    #expect(message { _ = try open([1, 0xE1, 0xF5, 5, 0, 0, 0, 0, 0x7B]) }.contains("not a whole safetensors"))
    #expect(message { _ = try SafetensorsFile.open(folder.path + "/none") }.contains("no such file"))
  }

  @Test("nothing is left behind where nothing can be written")
  func unwritable() {
    #expect(
      message { try SafetensorsWriter.write("\(folder.path)/none/x", tensors: []) }.hasPrefix("cannot write"))
    // A folder stands where the file should go: the rename fails after everything was written.
    folder.write("taken/inside", "x")
    #expect(message { try SafetensorsWriter.write("\(folder.path)/taken", tensors: []) }.hasPrefix("cannot write"))
    #expect(folder.names == ["taken"])
  }

  @Test("no mutation traps")
  func fuzzed() throws {
    let header =
      "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      + "\"b\":{\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[8,16]}}"
    try fuzz(safetensors(header, [UInt8](repeating: 3, count: 16)), name: "fuzzed", seed: 6) { path in
      let file = try SafetensorsFile.open(path)
      for name in file.names { _ = try file.floats(name) }
    }
  }
}

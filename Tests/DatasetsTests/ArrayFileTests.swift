import Datasets
import Foundation
import Tensors
import Testing

@Suite("NPY and NPZ files")
struct ArrayFileTests {
  let folder = Folder()

  /// An .npy file with the given header text and bytes.
  func npy(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let text = Array(header.utf8) + [0x0A]
    let length = (0..<(version == 1 ? 2 : 4)).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
  }

  @Test("versions 1 and 2 as NumPy writes them", arguments: [1, 2] as [UInt8])
  func reads(version: UInt8) throws {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }          "
    let file = try NPYFile(folder.write("a.npy", npy(header, [0, 0, 128, 63, 0, 0, 0, 192], version: version)))
    #expect(file.shape == [2, 1])
    #expect(file.floats() == [1, -2])
    #expect(file.integers() == nil)
  }

  @Test("every number type")
  func types() throws {
    func file(_ type: String, _ data: [UInt8]) throws -> NPYFile {
      let size = Int(type.dropFirst(2)) ?? 1
      return try NPYFile(
        folder.write(
          "t.npy", npy("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(data.count / size),)}", data)))
    }
    #expect(try file("<f8", [0, 0, 0, 0, 0, 0, 0xF8, 0x3F]).floats() == [1.5])
    #expect(try file("<f2", [0, 0x3E, 1, 0, 0, 0x7C]).floats() == [1.5, 0x1p-24, .infinity])
    #expect(try file("<i8", [254, 255, 255, 255, 255, 255, 255, 255]).integers() == [-2])
    #expect(try file("<i8", [0, 0, 0, 0, 1, 0, 0, 0]).integers() == nil)
    #expect(try file("<i4", [254, 255, 255, 255]).floats() == [-2])
    #expect(try file("<i2", [254, 255]).integers() == [-2])
    #expect(try file("|i1", [254]).integers() == [-2])
    #expect(try file("<u2", [254, 255]).integers() == [65534])
    #expect(try file("|u1", [254]).integers() == [254])
    #expect(try file("|b1", [1, 0]).floats() == [1, 0])
  }

  @Test("what was written is read, whatever the shape", arguments: [[], [0], [3], [2, 3], [1, 2, 1, 3]])
  func roundTrip(extents: [Int]) throws {
    let shape = Shape(extents)
    let values = (0..<shape.count).map { Float($0) * 0.5 }
    let path = "\(folder.path)/r.npy"
    try NPYFile.write(path, shape: shape, floats: values)
    let file = try NPYFile(path)
    #expect(file.shape == shape)
    #expect(file.floats() == values)
    #expect((contents(path).count - 4 * values.count) % 64 == 0)
    #expect(folder.names == ["r.npy"])
  }

  @Test("what is wrong is said")
  func refuses() {
    func fault(_ bytes: [UInt8]) -> String {
      let path = folder.write("bad.npy", bytes)
      let text = message { _ = try NPYFile(path) }
      #expect(text.hasPrefix(path))
      return text
    }
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    #expect(fault(Array("hello world".utf8)).contains("not an .npy file"))
    #expect(fault(npy(header, [1, 2, 3])).contains("needs 8 bytes and 3 follow"))
    #expect(fault(npy(header, [UInt8](repeating: 0, count: 9))).contains("needs 8 bytes and 9 follow"))
    #expect(fault(npy(header, [], version: 9)).contains("version 9"))
    #expect(fault(npy(header.replacing("(2,)", with: "(4611686018427387904, 4)"), [])).contains("absurd shape"))
    #expect(fault(npy(header.replacing("(2,)", with: "(99999999999999999999,)"), [])).contains("absurd shape"))
    #expect(fault(npy(header.replacing("<f4", with: ">f4"), [])).contains("type '>f4' is not taken"))
    #expect(fault(npy(header.replacing("'<f4'", with: "[('a', '<f4')]"), [])).contains("records"))
    #expect(
      fault(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", [UInt8](repeating: 0, count: 8)))
        .contains("Fortran"))
    #expect(fault(npy("{'descr': '<f4'}", [])).contains("not the dictionary"))
    #expect(fault([0x93] + Array("NUMPY".utf8) + [1, 0, 0xFF, 0xFF, 0x7B]).contains("does not fit"))
  }

  @Test("NPZ: what was written is read, stored and deflated", arguments: [false, true])
  func archive(deflated: Bool) throws {
    let path = "\(folder.path)/a.npz"
    let x = (0..<1000).map { Float($0 / 100) }
    let y: [Int64] = [1, 2, 3]
    try x.withUnsafeBytes { x in
      try y.withUnsafeBytes { y in
        try NPZFile.write(
          path,
          [
            NPZFile.Entry(name: "x", shape: [10, 100], bytes: x),
            NPZFile.Entry(name: "y", shape: [3], type: .int64, bytes: y),
          ], deflated: deflated)
      }
    }
    let file = try NPZFile(path)
    #expect(file.arrays.keys.sorted() == ["x", "y"])
    #expect(file.arrays["x"]?.shape == [10, 100])
    #expect(file.arrays["x"]?.floats() == x)
    #expect(file.arrays["y"]?.integers() == [1, 2, 3])
    #expect((contents(path).count < 2000) == deflated)
    var corrupt = contents(path)
    corrupt[deflated ? 100 : 400] ^= 0x55
    let bad = folder.write("bad.npz", corrupt)
    #expect(message { _ = try NPZFile(bad) }.contains("corrupt"))
    #expect(message { _ = try NPZFile(folder.write("no.npz", "hello")) }.contains("not a whole zip archive"))
    try fuzz(contents(path), name: "fuzzed.npz", seed: 4) { _ = try NPZFile($0) }
  }

  @Test("no mutation traps")
  func fuzzed() throws {
    let good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", [UInt8](repeating: 1, count: 8))
    try fuzz(good, name: "fuzzed.npy", seed: 5) { path in
      let file = try NPYFile(path)
      _ = (file.floats(), file.integers())
    }
  }

  @Test(
    "arrays make a set, from a folder of .npy, an .npz or a safetensors file", arguments: ["npy", "npz", "safetensors"])
  func sets(format: String) throws {
    let x = (0..<20).map { Float($0) }
    let y = (0..<10).map { Int32($0 % 3) }
    var path = "\(folder.path)/set.\(format)"
    try x.withUnsafeBytes { x in
      try y.withUnsafeBytes { y in
        switch format {
        case "npz":
          try NPZFile.write(
            path, [.init(name: "x", shape: [10, 2], bytes: x), .init(name: "y", shape: [10], type: .int32, bytes: y)])
        case "npy":
          path = folder.path
          try NPYFile.write("\(path)/x.npy", shape: [10, 2], bytes: x)
          try NPYFile.write("\(path)/y.npy", shape: [10], type: .int32, bytes: y)
        default:
          try SafetensorsWriter.write(
            path,
            tensors: [
              .init(name: "x", type: .float32, shape: [10, 2], bytes: x),
              .init(name: "y", type: .int32, shape: [10], bytes: y),
            ])
        }
      }
    }
    let set = try load("data: {format: \(format), path: \(path), test: 0.3}")
    #expect(set.training.count == 7)
    #expect(set.test.count == 3)
    #expect(set.classes == 3)
    for part in [set.training, set.test] {
      for index in 0..<part.count {
        let key = Int(part.key(index))
        #expect(floats(part, index) == [Float(2 * key), Float(2 * key + 1)])
        #expect(part.label(index) == key % 3)
      }
    }
  }
}

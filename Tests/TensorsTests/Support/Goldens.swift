import Foundation
import Tensors
import Testing

/// One case of a fixture: arrays and attributes that PyTorch computed with (`Tests/Fixtures/README.md`).
struct Golden: Sendable, CustomTestStringConvertible {
  /// `attention-causal-5-heads-2`
  let name: String
  /// Float32 arrays: `x`, `y`, `dy`, `dx`, `weight`, `dweight`, ….
  let arrays: [String: Array32]
  /// Int32 arrays, such as classes, and their shapes.
  let integers: [String: (shape: Shape, scalars: [Int32])]
  /// Attributes: numbers, and flags as 0 or 1.
  let numbers: [String: Double]
  /// Attributes that are words.
  let words: [String: String]

  /// A Float32 array, which must be there.
  subscript(key: String) -> Array32 {
    guard let array = arrays[key] else { preconditionFailure("no \(key) in golden case \(name)") }
    return array
  }

  /// The scalars of an Int32 array, which must be there.
  func integers(_ key: String) -> [Int32] {
    guard let array = integers[key] else { preconditionFailure("no \(key) in golden case \(name)") }
    return array.scalars
  }

  /// An attribute that must be there.
  func number(_ key: String) -> Double {
    guard let number = numbers[key] else { preconditionFailure("no attribute \(key) in golden case \(name)") }
    return number
  }

  /// A whole attribute.
  func integer(_ key: String) -> Int { Int(number(key)) }

  /// An attribute that is true or false.
  func flag(_ key: String) -> Bool { number(key) != 0 }

  var testDescription: String { name }
}

/// A file of golden values.
struct Goldens: Sendable {
  /// Operations and their gradients.
  static let operations = Goldens("operations")
  /// Operations on graphs.
  static let graphs = Goldens("graphs")

  /// All cases, by name.
  let cases: [String: Golden]

  /// The cases of one operation, in order of name.
  static func of(_ operation: String) -> [Golden] {
    let all = Array(operations.cases.values) + Array(graphs.cases.values)
    let found = all.filter { $0.words["operation"] == operation }.sorted { $0.name < $1.name }
    precondition(!found.isEmpty, "no golden case of \(operation)")
    return found
  }

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  private enum Attribute: Decodable {
    case number(Double)
    case word(String)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let flag = try? value.decode(Bool.self) {
        self = .number(flag ? 1 : 0)
      } else if let number = try? value.decode(Double.self) {
        self = .number(number)
      } else {
        self = .word(try value.decode(String.self))
      }
    }
  }

  /// Reads `Tests/Fixtures/NAME.safetensors`: a length, a JSON header of that length, the arrays.
  init(_ name: String) {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = folder.appendingPathComponent("Fixtures/\(name).safetensors")
    do {
      let data = try Data(contentsOf: path)
      let length = data.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
      let header = data.subdata(in: 8..<8 + length)
      guard let entries = try JSONSerialization.jsonObject(with: header) as? [String: Any],
        let metadata = entries["__metadata__"] as? [String: String]
      else { preconditionFailure("\(path.path) has no header") }
      let decoder = JSONDecoder()
      var arrays: [String: [String: Array32]] = [:]
      var integers: [String: [String: (shape: Shape, scalars: [Int32])]] = [:]
      for (key, value) in entries where key != "__metadata__" {
        let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
        let entry = try decoder.decode(Entry.self, from: JSONSerialization.data(withJSONObject: value))
        let shape = Shape(entry.shape)
        let start = 8 + length + entry.offsets[0]
        data.withUnsafeBytes { bytes in
          if entry.dtype == "F32" {
            arrays[parts[0], default: [:]][parts[1]] = Array32(
              shape, (0..<shape.count).map { bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: Float.self) })
          } else {
            integers[parts[0], default: [:]][parts[1]] = (
              shape, (0..<shape.count).map { bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: Int32.self) }
            )
          }
        }
      }
      var cases: [String: Golden] = [:]
      for (name, text) in metadata where arrays[name] != nil {
        let attributes = try decoder.decode([String: Attribute].self, from: Data(text.utf8))
        var numbers: [String: Double] = [:], words: [String: String] = [:]
        for (key, attribute) in attributes {
          switch attribute {
          case .number(let number): numbers[key] = number
          case .word(let word): words[key] = word
          }
        }
        cases[name] = Golden(
          name: name, arrays: arrays[name] ?? [:], integers: integers[name] ?? [:], numbers: numbers, words: words)
      }
      self.cases = cases
    } catch { preconditionFailure("\(path.path): \(error)") }
  }
}

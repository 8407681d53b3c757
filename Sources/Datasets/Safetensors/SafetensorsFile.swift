import Tensors

/// A safetensors file, mapped: eight bytes of header length (little-endian), the JSON header, then the tensors.
///
/// Opening checks everything that can be checked without reading the tensors: the header is at most 100 MB, each tensor's
/// range agrees with its shape and type, and the ranges cover what follows the header exactly, without gap or overlap.
/// (Hugging Face, github.com/huggingface/safetensors, section Format.)
public struct SafetensorsFile: Sendable {
  /// The path it was opened with.
  public let path: String
  /// The tensors by name.
  public let tensors: [String: TensorEntry]
  /// The strings of `__metadata__`.
  public let metadata: [String: String]
  private let file: ByteBlock
  private let start: Int

  /// The longest header that is read, in bytes.
  public static let longestHeader = 100_000_000

  /// Tensor names in the order of their bytes.
  public var names: [String] {
    tensors.sorted { ($0.value.range.lowerBound, $0.key) < ($1.value.range.lowerBound, $1.key) }.map(\.key)
  }

  /// Maps a file and checks its header.
  public static func open(_ path: String) throws(DataError) -> SafetensorsFile { try SafetensorsFile(path) }

  private init(_ path: String) throws(DataError) {
    let file = try ByteBlock.map(path)
    let header = try SafetensorsHeader(ofImage: file.bytes, path: path)
    start = header.end
    self.path = path
    self.file = file
    tensors = header.tensors
    metadata = header.metadata
  }

  /// The description of a tensor; a name that is not there is an error.
  public func entry(_ name: String) throws(DataError) -> TensorEntry {
    guard let entry = tensors[name] else {
      throw DataError(.unsuitable, "\(path) holds no tensor \(name)")
    }
    return entry
  }

  /// Calls `body` with the bytes of a tensor as they lie in the mapped file, little-endian.
  public func withBytes<Result>(
    _ name: String, _ body: (UnsafeRawBufferPointer) -> Result
  ) throws(DataError) -> Result {
    let range = try entry(name).range
    return body(UnsafeRawBufferPointer(rebasing: file.bytes[(start + range.lowerBound)..<(start + range.upperBound)]))
  }

  /// Copies a tensor as Float32, rounding what is wider to nearest.
  public func copyFloats(_ name: String, into output: UnsafeMutableBufferPointer<Float>) throws(DataError) {
    let entry = try entry(name)
    guard entry.shape.count == output.count else {
      throw DataError(
        .unsuitable, "\(path): tensor \(name) is \(entry.shape), not of the \(output.count) scalars that are wanted")
    }
    guard let base = output.baseAddress else { return }
    entry.type.decode(file.base + start + entry.range.lowerBound, count: output.count, into: base)
  }

  /// A tensor as Float32.
  public func floats(_ name: String) throws(DataError) -> [Float] {
    let entry = try entry(name)
    return [Float](unsafeUninitializedCapacity: entry.shape.count) { buffer, used in
      used = entry.shape.count
      if let base = buffer.baseAddress {
        entry.type.decode(file.base + start + entry.range.lowerBound, count: used, into: base)
      }
    }
  }

  /// A tensor of whole numbers as Int32.
  public func integers(_ name: String) throws(DataError) -> [Int32] {
    let entry = try entry(name)
    var fits = true
    let numbers = [Int32](unsafeUninitializedCapacity: entry.shape.count) { buffer, used in
      used = entry.shape.count
      if let base = buffer.baseAddress {
        fits = entry.type.decode(file.base + start + entry.range.lowerBound, count: used, into: base)
      }
      if !fits { used = 0 }
    }
    guard fits else { throw DataError(.unsuitable, "\(path): tensor \(name) holds no whole numbers of 32 bits") }
    return numbers
  }
}

import Tensors

/// Writes safetensors files straight from where the scalars lie.
public enum SafetensorsWriter {
  /// One tensor to write; its memory stays where it is until the file is written.
  public struct Part {
    /// What it is called.
    public let name: String
    let type: ScalarType
    let shape: Shape
    /// Its scalars, little-endian and row-major.
    public let bytes: UnsafeRawBufferPointer

    /// A tensor of any type, its bytes little-endian and row-major.
    public init(name: String, type: ScalarType, shape: Shape, bytes: UnsafeRawBufferPointer) {
      precondition(bytes.count == shape.count * type.size, "\(name): \(bytes.count) bytes for \(shape)")
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }

    /// A tensor of Float32 numbers.
    public init(name: String, shape: Shape, floats: UnsafePointer<Float>) {
      self.init(
        name: name, type: .float32, shape: shape,
        bytes: UnsafeRawBufferPointer(start: UnsafeRawPointer(floats), count: 4 * shape.count))
    }
  }

  /// Writes tensors in the given order (wider scalars first, so that each is aligned to its size); the first one begins
  /// at a multiple of 64 bytes of the file.  The file appears whole or not at all; a `durable` one has reached the disk when
  /// this returns, and a private one is its owner's alone.  Returns the bytes written and, where `hashing`, their SHA-256.
  @discardableResult
  public static func write(
    _ path: String, metadata: [String: String] = [:], tensors: [Part], durable: Bool = false, hashing: Bool = false,
    isPrivate: Bool = false
  ) throws(DataError) -> (bytes: Int, sha256: String?) {
    let (ordered, header) = arrange(tensors, metadata)
    guard header.count <= SafetensorsFile.longestHeader else {
      throw DataError(.unwritable, "cannot write \(path): a header of \(header.count) bytes is more than readers take")
    }
    let file = try FileWriter(path, hashing: hashing, isPrivate: isPrivate)
    try header.withFileBytes { (bytes) throws(DataError) in try file.write(bytes) }
    for tensor in ordered { try file.write(tensor.bytes) }
    try file.commit(durable: durable)
    return (file.count, file.checksum?.hexadecimal())
  }

  /// Writes Float32 tensors given by name, shape and where they lie; `count` must be the shape's.
  @discardableResult
  public static func write(
    _ path: String, metadata: [String: String] = [:],
    floats tensors: [(name: String, shape: Shape, pointer: UnsafePointer<Float>, count: Int)], durable: Bool = false
  ) throws(DataError) -> (bytes: Int, sha256: String?) {
    let parts = tensors.map { tensor in
      precondition(tensor.count == tensor.shape.count, "\(tensor.name): \(tensor.count) scalars for \(tensor.shape)")
      return Part(name: tensor.name, shape: tensor.shape, floats: tensor.pointer)
    }
    return try write(path, metadata: metadata, tensors: parts, durable: durable)
  }

  /// Tensors in the order of a file, wider scalars first, and all that stands before them: the length of the header, then the
  /// header, padded so that the first tensor begins at a multiple of 64 bytes.
  static func arrange(_ tensors: [Part], _ metadata: [String: String]) -> (ordered: [Part], header: [UInt8]) {
    var ordered: [Part] = []
    for size in [8, 4, 2, 1] { ordered += tensors.filter { $0.type.size == size } }
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name")
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map {
        "\(SafetensorsHeader.quoted($0.key)):\(SafetensorsHeader.quoted($0.value))"
      }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in ordered {
      precondition(tensor.name != "__metadata__", "`__metadata__` names no tensor")
      let extents = tensor.shape.dimensions.map(String.init).joined(separator: ",")
      let end = offset + tensor.bytes.count
      members.append(
        "\(SafetensorsHeader.quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: 0x20, count: (64 - (8 + header.count) % 64) % 64)
    return (ordered, (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header)
  }
}

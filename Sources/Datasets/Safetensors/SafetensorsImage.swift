import Tensors

/// A safetensors file that lies in memory, such as what travels over a network: written once, then read by any thread.
///
/// `@unchecked Sendable`: nothing changes once it has been made.
public final class SafetensorsImage: @unchecked Sendable {
  /// The whole file.
  public private(set) var bytes: UnsafeRawBufferPointer
  private let memory: UnsafeMutableRawBufferPointer

  /// An image of some tensors, copied; the first begins at a multiple of 64 bytes.
  public convenience init(_ tensors: [SafetensorsWriter.Part], metadata: [String: String] = [:]) {
    let (ordered, header) = SafetensorsWriter.arrange(tensors, metadata)
    self.init(byteCount: ordered.reduce(header.count) { $0 + $1.bytes.count })
    write(header, ordered)
  }

  /// The same in the memory of an image that nobody else has any more, where it suffices: fresh memory is cleared by the system,
  /// which takes as long as copying.
  public static func make(_ tensors: [SafetensorsWriter.Part], from spare: inout SafetensorsImage?) -> SafetensorsImage
  {
    let (ordered, header) = SafetensorsWriter.arrange(tensors, [:])
    let count = ordered.reduce(header.count) { $0 + $1.bytes.count }
    guard isKnownUniquelyReferenced(&spare), let image = spare, image.memory.count >= count else {
      return SafetensorsImage(tensors)
    }
    spare = nil
    image.bytes = UnsafeRawBufferPointer(rebasing: image.memory[..<count])
    image.write(header, ordered)
    return image
  }

  private init(byteCount: Int) {
    memory = .allocate(byteCount: byteCount, alignment: 64)
    bytes = UnsafeRawBufferPointer(memory)
  }

  private func write(_ header: [UInt8], _ tensors: [SafetensorsWriter.Part]) {
    memory.copyBytes(from: header)
    var offset = header.count
    for tensor in tensors {
      UnsafeMutableRawBufferPointer(rebasing: memory[offset...]).copyMemory(from: tensor.bytes)
      offset += tensor.bytes.count
    }
  }

  /// A copy of bytes that may be an image.
  public init(copying bytes: UnsafeRawBufferPointer) {
    memory = .allocate(byteCount: bytes.count, alignment: 64)
    memory.copyMemory(from: bytes)
    self.bytes = UnsafeRawBufferPointer(memory)
  }

  deinit { memory.deallocate() }
}

/// The tensors of an image in memory, whose header has been checked as that of a ``SafetensorsFile``.
///
/// It points to the image, which must stay where it is.
public struct SafetensorsView {
  /// What messages call the image.
  public let name: String
  /// The tensors by name.
  public let tensors: [String: TensorEntry]
  /// The strings of `__metadata__`.
  public let metadata: [String: String]
  private let bytes: UnsafeRawBufferPointer
  private let start: Int

  /// Checks the header of an image.  Throws what is wrong with it.
  public init(_ bytes: UnsafeRawBufferPointer, name: String) throws(DataError) {
    let header = try SafetensorsHeader(ofImage: bytes, path: name)
    self.name = name
    self.bytes = bytes
    tensors = header.tensors
    metadata = header.metadata
    start = header.end
  }

  /// The bytes of a tensor of some type; throws unless there is one of so many scalars.
  public func bytes(_ tensor: String, _ type: ScalarType, count: Int) throws(DataError) -> UnsafeRawBufferPointer {
    let found = try self.bytes(tensor, type)
    guard found.count == count * type.size else {
      throw DataError(
        .unsuitable, "\(name): tensor \(tensor) has \(found.count / type.size) scalars, not \(count)")
    }
    return found
  }

  /// The bytes of a tensor of some type, however many; throws where there is none.
  public func bytes(_ tensor: String, _ type: ScalarType) throws(DataError) -> UnsafeRawBufferPointer {
    guard let entry = tensors[tensor] else { throw DataError(.unsuitable, "\(name) holds no tensor \(tensor)") }
    guard entry.type == type else {
      throw DataError(.unsuitable, "\(name): tensor \(tensor) is of \(entry.type.rawValue), not \(type.rawValue)")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[start + entry.range.lowerBound..<start + entry.range.upperBound])
  }

  /// An error that says why a tensor is not what belongs there.
  public func unsuitable(_ tensor: String, _ reason: String) -> DataError {
    DataError(.unsuitable, "\(name): tensor \(tensor) \(reason)")
  }

  /// target ← a tensor of as many Float32.
  public func copy(_ tensor: String, into target: UnsafeMutableBufferPointer<Float>) throws(DataError) {
    UnsafeMutableRawBufferPointer(target).copyMemory(from: try bytes(tensor, .float32, count: target.count))
  }
}

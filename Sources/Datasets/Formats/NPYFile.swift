import Tensors

/// An array of NumPy's `.npy` format, versions 1 to 3: magic, a Python dictionary that names type, order and shape, then
/// the scalars.  (NumPy Enhancement Proposal 1.)
public struct NPYFile: Sendable {
  /// Extents, outermost first.
  public let shape: Shape
  /// Type of the scalars.
  public let type: ScalarType
  private let block: ByteBlock
  private let start: Int

  /// Reads a file, plain or gzip.
  public init(_ path: String) throws(DataError) {
    try self.init(try ByteReader.whole(path), path: path)
  }

  /// Reads an array that is a whole block of bytes; `path` is for messages.
  init(_ block: ByteBlock, path: String) throws(DataError) {
    let bytes = block.bytes
    guard bytes.count >= 10, bytes[0] == 0x93, bytes[1..<6].elementsEqual("NUMPY".utf8) else {
      throw DataError.malformed(path, "not an .npy file: it does not begin with \\x93NUMPY")
    }
    let version = bytes[6]
    guard (1...3).contains(version) else {
      throw DataError.malformed(path, "version \(version) of the .npy format is not known; save it as version 1 or 2")
    }
    let lengthBytes = version == 1 ? 2 : 4
    guard bytes.count >= 8 + lengthBytes else { throw DataError.malformed(path, "truncated inside the header") }
    let length = (0..<lengthBytes).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
    let start = 8 + lengthBytes + length
    guard length <= 1 << 20, start <= bytes.count else {
      throw DataError.malformed(path, "a header of \(length) bytes does not fit into the file; get the file again")
    }
    let header = String(decoding: bytes[(8 + lengthBytes)..<start], as: UTF8.self)
    var parser = NPYHeader(header, path: path)
    let description = try parser.parse()
    guard !description.fortran || description.shape.count < 2 else {
      throw DataError(
        .unsuitable, "\(path) is in Fortran order; save it again through numpy.ascontiguousarray")
    }
    var count = 1
    for extent in description.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= Int.max / 8 else {
        throw DataError.malformed(path, "absurd shape \(description.shape); get the file again")
      }
      count = product
    }
    guard bytes.count - start == count * description.type.size else {
      throw DataError.malformed(
        path,
        "shape \(description.shape) of \(description.type.rawValue) needs \(count * description.type.size) bytes and "
          + "\(bytes.count - start) follow the header; get the file again")
    }
    self.block = block
    self.start = start
    shape = Shape(description.shape)
    type = description.type
  }

  /// All scalars as Float32.
  public func floats() -> [Float] {
    let count = shape.count
    return [Float](unsafeUninitializedCapacity: count) { buffer, used in
      if let base = buffer.baseAddress { type.decode(block.base + start, count: count, into: base) }
      used = count
    }
  }

  /// All scalars as Int32; nil when they are no whole numbers or one is too large.
  public func integers() -> [Int32]? {
    let count = shape.count
    var fits = true
    let numbers = [Int32](unsafeUninitializedCapacity: count) { buffer, used in
      if let base = buffer.baseAddress { fits = type.decode(block.base + start, count: count, into: base) }
      used = fits ? count : 0
    }
    return fits ? numbers : nil
  }

  /// The scalars as they lie in the file, little-endian.
  var scalars: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: block.bytes[start...]) }

  /// Calls `body` with the scalars as they lie in the file, little-endian.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { body(scalars) }

  /// The bytes of an `.npy` header, padded so that the scalars begin at a multiple of 64; version 2 when it must.
  static func header(shape: Shape, type: ScalarType) -> [UInt8] {
    let extents = shape.dimensions.map(String.init).joined(separator: ", ") + (shape.rank == 1 ? "," : "")
    var text = Array("{'descr': '\(NPYHeader.name(type))', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
    let version: UInt8 = text.count + 75 < 65536 ? 1 : 2
    let fixed = version == 1 ? 10 : 12
    text += [UInt8](repeating: 0x20, count: 63 - (fixed + text.count) % 64) + [0x0A]
    let length = (0..<(fixed - 8)).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text
  }

  /// Writes an array; the file appears whole or not at all.
  public static func write(
    _ path: String, shape: Shape, type: ScalarType = .float32, bytes: UnsafeRawBufferPointer
  ) throws(DataError) {
    precondition(bytes.count == shape.count * type.size, "\(bytes.count) bytes for \(shape) of \(type.rawValue)")
    let file = try FileWriter(path)
    try header(shape: shape, type: type).withFileBytes { (head) throws(DataError) in try file.write(head) }
    try file.write(bytes)
    try file.commit()
  }

  /// Writes Float32 numbers.
  public static func write(_ path: String, shape: Shape, floats: [Float]) throws(DataError) {
    try floats.withFileBytes { (bytes) throws(DataError) in try write(path, shape: shape, bytes: bytes) }
  }
}

extension Array where Element: BitwiseCopyable {
  /// The memory of the array, for a body that throws this module's errors.
  func withFileBytes(_ body: (UnsafeRawBufferPointer) throws(DataError) -> Void) throws(DataError) {
    let outcome: DataError? = withUnsafeBytes { bytes in
      do throws(DataError) {
        try body(bytes)
        return nil
      } catch { return error }
    }
    if let outcome { throw outcome }
  }
}

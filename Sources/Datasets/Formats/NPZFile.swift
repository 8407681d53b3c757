import CZip
import Tensors

/// A zip of `.npy` arrays, as `numpy.savez` and `numpy.savez_compressed` write it; read and written by libzip, which checks
/// the checksum of every array.
public struct NPZFile: Sendable {
  /// The arrays by name, without `.npy`.
  public let arrays: [String: NPYFile]

  /// Reads every array; `limit` bytes of them in all.
  public init(_ path: String, limit: Int = 1 << 33) throws(DataError) {
    let archive = try ZIPFile(path, limit: limit)
    var arrays: [String: NPYFile] = [:]
    for entry in archive.entries where entry.name.hasSuffix(".npy") {
      let name = String(entry.name.dropLast(4))
      guard arrays[name] == nil else { throw DataError.malformed(path, "two arrays are called \(name)") }
      arrays[name] = try NPYFile(try archive.read(entry), path: "\(path), array \(name)")
    }
    guard !arrays.isEmpty else { throw DataError.malformed(path, "holds no .npy arrays") }
    self.arrays = arrays
  }

  /// One array to write.
  public struct Entry {
    let name: String
    let shape: Shape
    let type: ScalarType
    let bytes: UnsafeRawBufferPointer

    /// An array whose memory stays where it is until the file is written.
    public init(name: String, shape: Shape, type: ScalarType = .float32, bytes: UnsafeRawBufferPointer) {
      precondition(bytes.count == shape.count * type.size, "\(bytes.count) bytes for \(shape) of \(type.rawValue)")
      self.name = name
      self.shape = shape
      self.type = type
      self.bytes = bytes
    }
  }

  /// Writes arrays, stored or deflated; the file appears whole or not at all.
  public static func write(_ path: String, _ entries: [Entry], deflated: Bool = false) throws(DataError) {
    var code: Int32 = 0
    guard let archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code) else {
      throw DataError(.unwritable, "cannot write \(path): \(ZIPFile.reason(code))")
    }
    // libzip reads the sources while it closes the archive, so what they point to lives until then.
    var memory: [UnsafeMutableRawPointer] = []
    defer { for block in memory { block.deallocate() } }
    for entry in entries {
      let header = NPYFile.header(shape: entry.shape, type: entry.type)
      let size = header.count + entry.bytes.count
      let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      memory.append(block)
      header.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: block, count: size).copyMemory(from: $0) }
      if let base = entry.bytes.baseAddress {
        (block + header.count).copyMemory(from: base, byteCount: entry.bytes.count)
      }
      let source = zip_source_buffer(archive, block, UInt64(size), 0)
      let index = zip_file_add(archive, "\(entry.name).npy", source, UInt32(ZIP_FL_ENC_UTF_8))
      guard index >= 0 else {
        zip_source_free(source)
        let message = ZIPFile.reason(archive)
        zip_discard(archive)
        throw DataError(.unwritable, "cannot write \(path): \(message)")
      }
      zip_set_file_compression(archive, UInt64(index), deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0)
    }
    guard zip_close(archive) == 0 else {
      let message = ZIPFile.reason(archive)
      zip_discard(archive)
      throw DataError(.unwritable, "cannot write \(path): \(message)")
    }
  }
}

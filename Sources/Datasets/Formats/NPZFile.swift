import CZip
import Tensors

/// A zip of `.npy` arrays, as `numpy.savez` and `numpy.savez_compressed` write it; read and written by libzip, which checks
/// the checksum of every array.
public struct NPZFile: Sendable {
  /// The arrays by name, without `.npy`.
  public let arrays: [String: NPYFile]

  /// Reads every array; `limit` bytes of them in all.
  public init(_ path: String, limit: Int = 1 << 33) throws(DataError) {
    // libzip would say "not a zip" for a file that is not there.
    let file = try ByteBlock.map(path)
    var code: Int32 = 0
    guard let archive = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code) else {
      throw DataError.malformed(path, "not a whole zip archive (\(NPZFile.reason(code))); get the file again")
    }
    defer { zip_discard(archive) }
    var arrays: [String: NPYFile] = [:]
    var total = 0
    for index in 0..<max(0, zip_get_num_entries(archive, 0)) {
      var entry = zip_stat_t()
      zip_stat_init(&entry)
      let wanted = UInt64(ZIP_STAT_SIZE | ZIP_STAT_NAME)
      guard zip_stat_index(archive, UInt64(index), 0, &entry) == 0, entry.valid & wanted == wanted,
        let raw = entry.name
      else { throw DataError.malformed(path, "entry \(index) has no name or size") }
      var name = String(cString: raw)
      guard name.hasSuffix(".npy") else { continue }
      name.removeLast(4)
      guard arrays[name] == nil else { throw DataError.malformed(path, "two arrays are called \(name)") }
      // Deflate gains at most a factor of 1,032: a larger promise is no array.
      guard entry.size <= UInt64(limit - total), entry.size / 1032 <= UInt64(file.count) else {
        throw DataError.malformed(path, "array \(name) claims \(entry.size) bytes, more than the file can hold")
      }
      total += Int(entry.size)
      let block = try NPZFile.read(archive, UInt64(index), size: Int(entry.size), name: name, path: path)
      arrays[name] = try NPYFile(block, path: "\(path), array \(name)")
    }
    guard !arrays.isEmpty else { throw DataError.malformed(path, "holds no .npy arrays") }
    self.arrays = arrays
  }

  private static func read(
    _ archive: OpaquePointer, _ index: UInt64, size: Int, name: String, path: String
  ) throws(DataError) -> ByteBlock {
    guard let entry = zip_fopen_index(archive, index, 0) else {
      throw DataError.malformed(path, "array \(name): \(reason(archive))")
    }
    defer { zip_fclose(entry) }
    return try ByteBlock.make(size) { (target) throws(DataError) in
      var done = 0
      while done < size, let base = target.baseAddress {
        let got = zip_fread(entry, base + done, UInt64(size - done))
        guard got > 0 else {
          throw DataError.malformed(path, "array \(name) is corrupt or cut off; get the file again")
        }
        done += Int(got)
      }
      // The checksum is compared at the end of the entry.
      var extra: UInt8 = 0
      guard zip_fread(entry, &extra, 1) == 0 else {
        throw DataError.malformed(path, "array \(name) is corrupt (its checksum is wrong); get the file again")
      }
    }
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
      throw DataError(.unwritable, "cannot write \(path): \(reason(code))")
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
        let message = reason(archive)
        zip_discard(archive)
        throw DataError(.unwritable, "cannot write \(path): \(message)")
      }
      zip_set_file_compression(archive, UInt64(index), deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0)
    }
    guard zip_close(archive) == 0 else {
      let message = reason(archive)
      zip_discard(archive)
      throw DataError(.unwritable, "cannot write \(path): \(message)")
    }
  }

  private static func reason(_ code: Int32) -> String {
    var error = zip_error_t()
    zip_error_init_with_code(&error, code)
    defer { zip_error_fini(&error) }
    return String(cString: zip_error_strerror(&error))
  }

  private static func reason(_ archive: OpaquePointer) -> String { String(cString: zip_strerror(archive)) }
}

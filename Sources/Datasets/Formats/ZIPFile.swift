import CZip

/// A zip archive, read by libzip, which checks the checksum of every entry.
final class ZIPFile {
  /// A file in the archive.
  struct Entry {
    let index: UInt64
    let name: String
    let size: Int
  }

  let path: String
  /// The files, in the archive's order.
  let entries: [Entry]
  private let archive: OpaquePointer

  /// Opens a whole archive.  Entries that promise more than `limit` bytes in all, or more than deflate can gain from the
  /// file's bytes, are errors.
  init(_ path: String, limit: Int = 1 << 33) throws(DataError) {
    // libzip would say "not a zip" for a file that is not there.
    let file = try ByteBlock.map(path)
    var code: Int32 = 0
    guard let archive = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code) else {
      throw DataError.malformed(path, "not a whole zip archive (\(ZIPFile.reason(code))); get the file again")
    }
    self.path = path
    self.archive = archive
    var entries: [Entry] = []
    var total = 0
    for index in 0..<UInt64(max(0, zip_get_num_entries(archive, 0))) {
      var entry = zip_stat_t()
      zip_stat_init(&entry)
      let wanted = UInt64(ZIP_STAT_SIZE | ZIP_STAT_NAME)
      guard zip_stat_index(archive, index, 0, &entry) == 0, entry.valid & wanted == wanted, let raw = entry.name else {
        zip_discard(archive)
        throw DataError.malformed(path, "entry \(index) has no name or size")
      }
      let name = String(cString: raw)
      // Deflate gains at most a factor of 1,032: a larger promise is no file.
      guard entry.size <= UInt64(limit - total), entry.size / 1032 <= UInt64(file.count) else {
        zip_discard(archive)
        throw DataError.malformed(path, "entry \(name) claims \(entry.size) bytes, more than the file can hold")
      }
      total += Int(entry.size)
      entries.append(Entry(index: index, name: name, size: Int(entry.size)))
    }
    self.entries = entries
  }

  deinit { zip_discard(archive) }

  /// The bytes of a file.
  func read(_ entry: Entry) throws(DataError) -> ByteBlock {
    guard let file = zip_fopen_index(archive, entry.index, 0) else {
      throw DataError.malformed(path, "entry \(entry.name): \(ZIPFile.reason(archive))")
    }
    defer { zip_fclose(file) }
    return try ByteBlock.make(entry.size) { (target) throws(DataError) in
      var done = 0
      while done < entry.size, let base = target.baseAddress {
        let got = zip_fread(file, base + done, UInt64(entry.size - done))
        guard got > 0 else {
          throw DataError.malformed(path, "entry \(entry.name) is corrupt or cut off; get the file again")
        }
        done += Int(got)
      }
      // The checksum is compared at the end of the entry.
      var extra: UInt8 = 0
      guard zip_fread(file, &extra, 1) == 0 else {
        throw DataError.malformed(
          path, "entry \(entry.name) is corrupt (its checksum is wrong); get the file again")
      }
    }
  }

  /// What libzip says of an error code.
  static func reason(_ code: Int32) -> String {
    var error = zip_error_t()
    zip_error_init_with_code(&error, code)
    defer { zip_error_fini(&error) }
    return String(cString: zip_error_strerror(&error))
  }

  /// What libzip says of the last failure.
  static func reason(_ archive: OpaquePointer) -> String { String(cString: zip_strerror(archive)) }
}

import Glibc

/// Writes a file under a temporary name beside its final one, and gives it that name when it is whole.
///
/// Until `commit` returns the final name is untouched: a failure, or forgetting the writer, leaves nothing behind.
final class FileWriter {
  let path: String
  private let temporary: String
  private let descriptor: Int32
  private var open = true
  /// Bytes written so far.
  private(set) var count = 0
  /// Of the bytes written so far, where it is wanted.
  private(set) var checksum: Checksum?

  /// Begins a file, which nobody but its owner may read where it `isPrivate`; its folder must exist.
  init(_ path: String, hashing: Bool = false, isPrivate: Bool = false) throws(DataError) {
    self.path = path
    checksum = hashing ? Checksum() : nil
    // The process number keeps ranks that write the same name apart.
    temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).partial"
    descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, isPrivate ? 0o600 : 0o666)
    guard descriptor >= 0 else {
      open = false
      throw FileWriter.refused(path)
    }
  }

  deinit {
    if open {
      close(descriptor)
      unlink(temporary)
    }
  }

  /// Appends bytes, straight from where they lie.
  func write(_ bytes: UnsafeRawBufferPointer) throws(DataError) {
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      // The kernel takes at most 2 GiB a call.
      let got = Glibc.write(descriptor, base + done, min(bytes.count - done, 1 << 30))
      if got < 0 {
        if errno == EINTR { continue }
        throw FileWriter.refused(path)
      }
      done += got
    }
    count += done
    checksum?.update(bytes)
  }

  /// Gives the file its name; a `durable` one has reached the disk before, and its name too.
  func commit(durable: Bool = false) throws(DataError) {
    if durable, fsync(descriptor) != 0 { throw FileWriter.refused(path) }
    guard close(descriptor) == 0 else {
      open = false
      let error = FileWriter.refused(path)
      unlink(temporary)
      throw error
    }
    open = false
    guard rename(temporary, path) == 0 else {
      let error = FileWriter.refused(path)
      unlink(temporary)
      throw error
    }
    if durable {
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      let handle = Glibc.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard handle >= 0 else { throw FileWriter.refused(path) }
      defer { close(handle) }
      if fsync(handle) != 0, errno != EINVAL { throw FileWriter.refused(path) }
    }
  }

  /// The error for a path the system would not write, from errno.
  static func refused(_ path: String) -> DataError {
    DataError(.unwritable, "cannot write \(path): \(String(cString: strerror(errno)))")
  }
}

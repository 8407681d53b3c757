import Glibc

/// Bytes that never move: memory of our own, or a file mapped for reading.
///
/// `@unchecked Sendable`: nobody writes after whoever made the block has handed it on.
package final class ByteBlock: @unchecked Sendable {
  /// All bytes.
  package let bytes: UnsafeRawBufferPointer
  /// The first byte; there even when the block is empty.
  let base: UnsafePointer<UInt8>
  private let release: () -> Void

  private init(_ base: UnsafeMutableRawPointer, _ count: Int, release: @escaping () -> Void) {
    bytes = UnsafeRawBufferPointer(start: base, count: count)
    self.base = UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
    self.release = release
  }

  deinit { release() }

  var count: Int { bytes.count }

  /// A block of `count` bytes on a cache line, filled by `fill`.
  static func make<Failure: Error>(
    _ count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> ByteBlock {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 64), alignment: 64)
    do throws(Failure) {
      try fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    } catch {
      memory.deallocate()
      throw error
    }
    return ByteBlock(memory, count) { memory.deallocate() }
  }

  /// A block that copies an array.
  static func copy(_ array: [UInt8]) -> ByteBlock { make(array.count) { $0.copyBytes(from: array) } }

  /// A whole file, mapped read-only: only what is touched is read.
  static func map(_ path: String) throws(DataError) -> ByteBlock {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ByteBlock.refused(path) }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else { throw ByteBlock.refused(path) }
    guard information.st_mode & S_IFMT == S_IFREG else {
      throw DataError(.unreadable, "\(path) is not a file; name one")
    }
    let count = Int(information.st_size)
    if count == 0 { return make(0) { _ in } }
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw ByteBlock.refused(path)
    }
    return ByteBlock(base, count) { munmap(base, count) }
  }

  /// The error for a path the system would not open or read, from errno.
  static func refused(_ path: String) -> DataError {
    let code = errno
    if code == ENOENT || code == ENOTDIR {
      return DataError(.missing, "\(path): no such file")
    }
    return DataError(.unreadable, "cannot read \(path): \(String(cString: strerror(code)))")
  }
}

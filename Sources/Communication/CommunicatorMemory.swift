import Glibc

/// Memory that a communicator gave out: zeroed, and aligned to a page.
///
/// A transport may give memory that other ranks see too, so that nothing is copied when its scalars are exchanged.
///
/// `@unchecked Sendable`: the pointer never changes; who may write which range when is decided by whoever shares it.
public final class CommunicatorMemory: @unchecked Sendable {
  /// The first byte.
  public let base: UnsafeMutableRawPointer
  /// Bytes asked for.
  public let byteCount: Int
  private let release: @Sendable (UnsafeMutableRawPointer) -> Void

  /// Memory that `release` frees, when this object dies.
  public init(
    base: UnsafeMutableRawPointer, byteCount: Int, release: @escaping @Sendable (UnsafeMutableRawPointer) -> Void
  ) {
    self.base = base
    self.byteCount = byteCount
    self.release = release
  }

  /// Memory of this process alone. Throws `.library` where the system has none left.
  public convenience init(zeroed byteCount: Int) throws(CommunicationError) {
    precondition(byteCount >= 0, "\(byteCount) bytes")
    let length = max(byteCount, 1)
    guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
    else {
      let code = errno
      throw CommunicationError(
        .library(Int(code)), "cannot allocate \(byteCount) bytes: \(String(cString: strerror(code)))")
    }
    self.init(base: base, byteCount: byteCount) { munmap($0, length) }
  }

  deinit { release(base) }
}

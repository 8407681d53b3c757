import Glibc

/// A descriptor that can be polled, which any thread makes readable.
public final class Wakeup: Sendable {
  /// Readable once somebody has called.
  public let descriptor: Int32
  private let writing: Int32

  /// One that nobody has called.
  public init() {
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "no descriptors for a wakeup")
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (descriptor, writing) = (ends[0], ends[1])
  }

  deinit {
    close(descriptor)
    close(writing)
  }

  /// Makes it readable.
  public func call() {
    var one: UInt8 = 1
    _ = write(writing, &one, 1)
  }

  /// Makes it unreadable again.
  func clear() {
    var bytes: UInt64 = 0
    while read(descriptor, &bytes, 8) > 0 {}
  }
}

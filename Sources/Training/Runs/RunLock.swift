import Glibc

/// The right to write to a run directory, held from `init` until the last reference is gone or the process ends.
///
/// A lock of the open file (`flock`): the system releases it however the process dies, and two holders of one process exclude
/// each other too.  Only rank 0 takes it.
final class RunLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock, waiting up to `patience` for a holder that is just ending.
  init(_ path: String, patience: Duration) throws(RunError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemFailure("write", path)) }
    let clock = ContinuousClock()
    let deadline = clock.now + patience
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK else {
        let failure = SystemFailure("lock", path)
        close(descriptor)
        throw RunError(failure)
      }
      guard clock.now < deadline else {
        close(descriptor)
        let holder = Files.text(of: path, limit: 1 << 12).flatMap { $0.isEmpty ? nil : $0 } ?? "another process"
        throw RunError(
          .refused,
          "\(Files.folder(of: path)) is in use by \(holder); wait until it ends or choose another --run")
      }
      usleep(20_000)
    }
    self.descriptor = descriptor
    // For the message of whoever comes second; the lock holds without it.
    let holder = "process \(getpid()) on \(HostName.current)"
    if ftruncate(descriptor, 0) == 0 {
      try? Files.write(holder, to: descriptor, path)
    }
  }

  deinit { close(descriptor) }
}

import Glibc

/// A file without a name that holds blocks of one size: what does not fit in memory.  It is gone when the process is.
///
/// `@unchecked Sendable`: nothing changes after `init`, and the system reads and writes at places without a common position.
package final class SpillFile: @unchecked Sendable {
  private let descriptor: CInt
  /// What messages name: the folder.
  private let name: String

  /// Makes a file in a folder.  Throws `.refused` where the system does not let it.
  package convenience init(in folder: String) throws(FederatedError) {
    var path = Array("\(folder)/nndist-states-XXXXXX".utf8CString)
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else {
      throw FederatedError(.refused, "cannot keep client states in \(folder): \(SpillFile.reason(errno))")
    }
    unlink(path)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    self.init(descriptor: descriptor, name: folder)
  }

  /// Takes over an open file.
  package init(descriptor: CInt, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  deinit { close(descriptor) }

  /// Writes a block at a slot.
  package func write(_ block: UnsafeRawPointer, bytes: Int, slot: Int) throws(FederatedError) {
    var done = 0
    while done < bytes {
      let count = pwrite(descriptor, block + done, bytes - done, slot * bytes + done)
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw FederatedError(
          .refused,
          "cannot keep the state of another client (\(bytes) bytes) in \(name): "
            + "\(SpillFile.reason(count == 0 ? ENOSPC : errno)); free space there, or choose another folder")
      }
    }
  }

  /// Reads the block of a slot that was written before.
  package func read(_ block: UnsafeMutableRawPointer, bytes: Int, slot: Int) throws(FederatedError) {
    var done = 0
    while done < bytes {
      let count = pread(descriptor, block + done, bytes - done, slot * bytes + done)
      if count > 0 {
        done += count
      } else if count == 0 {
        throw FederatedError(.internalError, "the file of client states in \(name) ended within slot \(slot)")
      } else if errno != EINTR {
        throw FederatedError(.refused, "cannot read client states back from \(name): \(SpillFile.reason(errno))")
      }
    }
  }

  private static func reason(_ code: CInt) -> String { String(cString: strerror(code)) }
}

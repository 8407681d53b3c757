import Glibc
import Synchronization

/// The connections of a status page, those longest silent first.
///
/// One too many ends the one that has been silent longest: connections that ask nothing, or a byte at a time, cannot keep out
/// one that does.
final class ConnectionList: Sendable {
  private let limit: Int
  private let sockets = Mutex<[Int32]>([])

  /// A list of at most so many.
  init(limit: Int) { self.limit = limit }

  /// A connection came, or asked for something.
  func heard(_ socket: Int32) {
    sockets.withLock { sockets in
      sockets.removeAll { $0 == socket }
      sockets.append(socket)
      // It is not closed here: whoever waits on it sees its end and does so.
      if sockets.count > limit { shutdown(sockets.removeFirst(), Int32(SHUT_RDWR)) }
    }
  }

  /// A connection is about to be closed.
  func ended(_ socket: Int32) { sockets.withLock { $0.removeAll { $0 == socket } } }
}

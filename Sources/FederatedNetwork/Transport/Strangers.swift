import CZeroMQ
import Federated
import Glibc

/// Who began to speak to a listening socket and never showed a key, told by ZeroMQ: without keys where there must be some, with
/// another server's, silent, or no program of this kind.  Who shows a key that is not listed is the ``Authenticator``'s.
///
/// ZeroMQ tells of the failure, and next of the end of the connection with its descriptor; between the two may be the end of
/// another connection, so that under many at once an address may be another stranger's.
final class Strangers {
  /// To be polled.
  let socket: Socket
  private let listener: Socket
  /// Where the connections of some descriptors come from.
  private var addresses: [Int32: String] = [:]
  /// Why a greeting failed whose connection's end is told next.
  private var failure: String?
  private var lines = LogBudget()
  private let refused: (String) -> Void

  /// Watches a socket that does not listen yet.
  init(of listener: Socket, _ context: SocketContext, refused: @escaping (String) -> Void) throws(FederatedError) {
    let name = "inproc://strangers"
    let events =
      ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
      | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
    guard zmq_socket_monitor(listener.handle, name, events) == 0 else {
      throw FederatedError(.internalError, "cannot watch connections: \(Socket.reason)")
    }
    (self.listener, self.refused) = (listener, refused)
    socket = Socket(.pair, context)
    try socket.connect(name)
  }

  deinit { zmq_socket_monitor(listener.handle, nil, 0) }

  /// Writes a line for everyone whose greeting failed since.
  func report() {
    while let frames = socket.receive() {
      guard let (event, value) = Strangers.read(frames) else { continue }
      switch event {
      case ZMQ_EVENT_ACCEPTED: addresses[value] = Strangers.address(of: value)
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: failure = "it ended or was silent before it showed a key"
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        failure = "it has no key, another server's, or is no client of a federation"
      case ZMQ_EVENT_DISCONNECTED:
        let address = addresses.removeValue(forKey: value) ?? "somewhere"
        guard let reason = failure else { continue }
        failure = nil
        lines.write("refused a connection from \(address): \(reason)", of: "refused connections", to: refused)
      default: continue
      }
    }
  }

  /// What happened, and the descriptor or error that came with it.
  private static func read(_ frames: [Frame]) -> (event: Int32, value: Int32)? {
    withExtendedLifetime(frames) {
      guard let bytes = frames.first?.bytes, bytes.count >= 6 else { return nil }
      return (
        Int32(bytes.loadUnaligned(as: UInt16.self)),
        Int32(bitPattern: bytes.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
      )
    }
  }

  /// The other end of a connection that was accepted.
  private static func address(of descriptor: Int32) -> String {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var text = [CChar](repeating: 0, count: 64)
    let isKnown = withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { other in
        getpeername(descriptor, other, &length) == 0
          && getnameinfo(other, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
      }
    }
    return isKnown ? String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "somewhere"
  }
}

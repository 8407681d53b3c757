import CZeroMQ
import Federated

/// What becomes of the connection of a socket, told by ZeroMQ.
final class ConnectionEvents {
  /// What happened.
  enum Event: Equatable {
    /// The other end is there and both know each other's keys.
    case ready
    /// The connection is gone.
    case lost
    /// The other end does not admit our key.
    case refused
    /// The other end broke off the greeting: it may be no server, or one with other keys.
    case broken
    /// The other end speaks another protocol, or has other demands: with keys where we have none.  ZeroMQ does not try again.
    case foreign
  }

  /// To be polled.
  let socket: Socket

  init(of watched: Socket, _ context: SocketContext, name: String) throws(FederatedError) {
    let events =
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
      | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
    guard zmq_socket_monitor(watched.handle, "inproc://\(name)", events) == 0 else {
      throw FederatedError(.internalError, "cannot watch a connection: \(Socket.reason)")
    }
    socket = Socket(.pair, context)
    try socket.connect("inproc://\(name)")
  }

  /// The next event; nil where nothing more has happened.
  func next() -> Event? {
    while let frames = socket.receive() {
      let number = withExtendedLifetime(frames) { () -> UInt16? in
        guard let bytes = frames.first?.bytes, bytes.count >= 2 else { return nil }
        return bytes.loadUnaligned(as: UInt16.self)
      }
      switch Int32(number ?? 0) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .ready
      case ZMQ_EVENT_DISCONNECTED: return .lost
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return .refused
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: return .broken
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return .foreign
      default: continue
      }
    }
    return nil
  }
}

import CZeroMQ
import Federated
import Glibc

/// The context of all sockets of a process's server or client; its threads encrypt, decrypt and move bytes.
final class SocketContext {
  fileprivate let handle: UnsafeMutableRawPointer

  init(threads: Int = 1) {
    NetworkLibraries.begin()
    guard let handle = zmq_ctx_new() else { preconditionFailure("ZeroMQ makes no context") }
    zmq_ctx_set(handle, ZMQ_IO_THREADS, Int32(threads))
    zmq_ctx_set(handle, ZMQ_BLOCKY, 0)
    self.handle = handle
  }

  /// All sockets must be closed before.
  deinit { zmq_ctx_term(handle) }
}

/// A ZeroMQ socket, which one thread uses.
final class Socket {
  /// How it meets others.
  enum Kind {
    /// Many peers, each message says whose it is.
    case router
    /// One peer.
    case dealer
    /// Requests of one other thread.
    case reply
    /// What becomes of another socket's connections.
    case pair
  }

  let handle: UnsafeMutableRawPointer
  // A context ends after its sockets.
  private let context: SocketContext

  init(_ kind: Kind, _ context: SocketContext) {
    let type =
      switch kind {
      case .router: ZMQ_ROUTER
      case .dealer: ZMQ_DEALER
      case .reply: ZMQ_REP
      case .pair: ZMQ_PAIR
      }
    guard let handle = zmq_socket(context.handle, type) else { preconditionFailure("ZeroMQ makes no socket") }
    self.handle = handle
    self.context = context
    set(ZMQ_LINGER, 0)
  }

  deinit { zmq_close(handle) }

  /// Sets a number.
  func set(_ option: Int32, _ value: Int32) {
    var value = value
    precondition(
      zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size) == 0, "ZeroMQ's option \(option): \(Self.reason)"
    )
  }

  /// Sets a number of 64 bits.
  func set(_ option: Int32, wide value: Int64) {
    var value = value
    precondition(
      zmq_setsockopt(handle, option, &value, MemoryLayout<Int64>.size) == 0, "ZeroMQ's option \(option): \(Self.reason)"
    )
  }

  /// Sets bytes.
  func set(_ option: Int32, _ value: [UInt8]) {
    precondition(zmq_setsockopt(handle, option, value, value.count) == 0, "ZeroMQ's option \(option): \(Self.reason)")
  }

  /// What both ends of a connection agree on: messages up to a size, and no link that is dead for half a minute.
  func limit(messages bytes: Int) {
    set(ZMQ_MAXMSGSIZE, wide: Int64(bytes))
    set(ZMQ_HEARTBEAT_IVL, 5_000)
    set(ZMQ_HEARTBEAT_TIMEOUT, 30_000)
    set(ZMQ_HANDSHAKE_IVL, 10_000)
    set(ZMQ_TCP_KEEPALIVE, 1)
  }

  /// Encrypts: as a server for whoever the authenticator admits, or as a client of the server with a public key.
  func encrypt(as keys: KeyPair, to server: [UInt8]? = nil) {
    if let server {
      set(ZMQ_CURVE_SERVERKEY, server)
      set(ZMQ_CURVE_PUBLICKEY, keys.publicKey)
    } else {
      set(ZMQ_CURVE_SERVER, 1)
    }
    set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
  }

  /// Listens; the address with the port that it got.  Throws what the system says.
  func bind(_ address: String) throws(FederatedError) -> String {
    if address.contains("[") { set(ZMQ_IPV6, 1) }
    guard zmq_bind(handle, address) == 0 else {
      throw FederatedError(.refused, "cannot listen on \(address): \(Self.reason); choose another address or port")
    }
    var text = [CChar](repeating: 0, count: 256)
    var length = text.count
    guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &length) == 0, length > 0 else { return address }
    return String(decoding: text.prefix(length - 1).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Begins to connect, again and again.
  func connect(_ address: String) throws(FederatedError) {
    if address.hasPrefix("tcp") { set(ZMQ_IPV6, 1) }
    guard zmq_connect(handle, address) == 0 else {
      throw FederatedError(.usage, "cannot connect to \(address): \(Self.reason); expected tcp://HOST:PORT")
    }
  }

  /// The frames of the next message; nil where none is there.
  func receive() -> [Frame]? {
    var frames: [Frame] = []
    repeat {
      let frame = Frame()
      var status: Int32
      repeat { status = zmq_msg_recv(frame.message, handle, ZMQ_DONTWAIT) } while status < 0 && errno == EINTR
      guard status >= 0 else { return nil }
      frames.append(frame)
    } while zmq_msg_more(frames[frames.count - 1].message) != 0
    return frames
  }

  /// Sends a message; false where nobody takes it.
  @discardableResult
  func send(_ frames: [Frame]) -> Bool {
    for (index, frame) in frames.enumerated() {
      let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
      var status: Int32
      repeat { status = zmq_msg_send(frame.message, handle, flags) } while status < 0 && errno == EINTR
      if status < 0 { return false }
    }
    return true
  }

  /// Why the last call failed.
  static var reason: String { String(cString: zmq_strerror(zmq_errno())) }
}

/// Waits until a socket has a message or a descriptor is readable, or until a time has passed.
enum Poll {
  /// Which sockets have messages, and which descriptors can be read; none after the time, in seconds; nil waits on.
  static func wait(_ sockets: [Socket], descriptors: [Int32] = [], seconds: Double?) -> Set<Int> {
    var items = sockets.map { zmq_pollitem_t(socket: $0.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0) }
    items += descriptors.map { zmq_pollitem_t(socket: nil, fd: $0, events: Int16(ZMQ_POLLIN), revents: 0) }
    // Rounded up: a time that is almost there would be asked for again and again.
    let milliseconds = seconds.map { Int(min(max(0, $0) * 1000, 1e9).rounded(.up)) } ?? -1
    guard zmq_poll(&items, Int32(items.count), milliseconds) > 0 else { return [] }
    return Set(items.indices.filter { items[$0].revents != 0 })
  }
}

import CZeroMQ
import Foundation
import Testing

/// A client that speaks the federated wire by hand, and says whatever a test wants.
final class WireClient {
  /// Kinds of messages, by their numbers on the wire.
  enum Kind: UInt16 {
    case hello = 1
    case ready, fetch, offer, piece, decline, alive, leave, share
    case welcome = 65
    case order, data, grant, verdict, refuse, finished, relay, cancel
  }

  /// A message as it came, or is to go.
  struct Message {
    var kind: UInt16
    var version: UInt16 = 1
    var session: UInt64 = 0
    var round: UInt64 = 0
    var offset: UInt64 = 0
    var total: UInt64 = 0
    var body: [UInt8]?

    /// The first frame: 40 bytes, little-endian.
    var header: [UInt8] {
      var bytes = Array("NNDW".utf8)
      for number in [version, kind] { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
      for word in [session, round, offset, total] { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
      return bytes
    }

    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(body ?? [])) as? [String: Any]) ?? [:]
    }
  }

  private let context: UnsafeMutableRawPointer
  private let socket: UnsafeMutableRawPointer
  let client: Int
  /// The server's session, once it has greeted back.
  var session: UInt64 = 0
  /// Every message that was sent, for replaying.
  private(set) var sent: [[[UInt8]]] = []

  /// Connects as a client of a federation, with its keys.
  init(_ federation: NetworkFederation, client: Int) throws {
    self.client = client
    context = try #require(zmq_ctx_new())
    socket = try #require(zmq_socket(context, ZMQ_DEALER))
    set(ZMQ_LINGER, 0)
    set(ZMQ_SNDHWM, 0)
    let keys = "keys"
    if federation.identity.contains(keys) {
      var own = try WireClient.key(federation, "\(keys)/clients/\(client).secret")
      var pair = [CChar](repeating: 0, count: 41)
      #expect(zmq_curve_public(&pair, &own) == 0)
      var server = try WireClient.key(federation, "\(keys)/server.public")
      zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, &server, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, &pair, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, &own, 41)
    }
    #expect(zmq_connect(socket, federation.address) == 0)
  }

  deinit {
    zmq_close(socket)
    zmq_ctx_term(context)
  }

  private static func key(_ federation: NetworkFederation, _ name: String) throws -> [CChar] {
    try federation.tool.text(name).utf8.prefix(40).map { CChar(bitPattern: $0) } + [0]
  }

  private func set(_ option: Int32, _ value: Int32) {
    var value = value
    zmq_setsockopt(socket, option, &value, 4)
  }

  // MARK: Messages

  /// Sends frames as they are.
  func send(frames: [[UInt8]], isKept: Bool = true) {
    if isKept { sent.append(frames) }
    for (index, frame) in frames.enumerated() {
      _ = frame.withUnsafeBytes {
        zmq_send(socket, $0.baseAddress, $0.count, index + 1 < frames.count ? ZMQ_SNDMORE : 0)
      }
    }
  }

  /// Sends a message.
  func send(
    _ kind: Kind, round: UInt64 = 0, offset: UInt64 = 0, total: UInt64 = 0, session: UInt64? = nil,
    _ body: [UInt8]? = nil
  ) {
    let message = Message(
      kind: kind.rawValue, session: session ?? self.session, round: round, offset: offset, total: total, body: body)
    send(frames: [message.header] + (body.map { [$0] } ?? []))
  }

  /// The next message; nil after some seconds without one.
  func receive(seconds: Double = 30) -> Message? {
    set(ZMQ_RCVTIMEO, Int32(seconds * 1000))
    var frames: [[UInt8]] = []
    repeat {
      var frame = zmq_msg_t()
      zmq_msg_init(&frame)
      defer { zmq_msg_close(&frame) }
      guard zmq_msg_recv(&frame, socket, 0) >= 0 else { return nil }
      frames.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&frame), count: zmq_msg_size(&frame))))
    } while more
    guard let header = frames.first, header.count == 40 else { return nil }
    func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(header[offset + $1]) << (8 * UInt64($1)) } }
    return Message(
      kind: UInt16(header[6]) | UInt16(header[7]) << 8, session: word(8), round: word(16), offset: word(24),
      total: word(32),
      body: frames.count > 1 ? frames[1] : nil)
  }

  private var more: Bool {
    var more: Int32 = 0
    var size = 4
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more != 0
  }

  /// Waits for a message of a kind; others are passed over.
  func wait(for kind: Kind, seconds: Double = 30) -> Message? {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end, let message = receive(seconds: max(0.001, end.timeIntervalSinceNow)) {
      if message.kind == kind.rawValue { return message }
    }
    return nil
  }

  /// Greets, and says that it can be asked.
  func join(samples: Int) throws {
    send(.hello, session: 0, Array("{\"client\":\(client),\"program\":\"wire\"}".utf8))
    session = try #require(wait(for: .welcome)).session
    send(.ready, Array("{\"samples\":\(samples),\"process\":\(client)}".utf8))
  }

  /// A report that offers an upload.
  static let report = Array(
    #"{"report":{"isAcceptable":true,"isWhole":true,"loss":1,"steps":1,"terms":10}}"#.utf8)

  /// A file of safetensors with one tensor.
  static func tensors(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) -> [UInt8] {
    let header = Array(#"{"\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[0,\#(bytes.count)]}}"#.utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + bytes
  }
}

import CSodium
import CZeroMQ
import Foundation
import Testing

/// A server that speaks the federated wire by hand, without keys: it hands out a task and refuses whoever takes it.
final class WireServer {
  private let context: UnsafeMutableRawPointer
  private let socket: UnsafeMutableRawPointer
  /// Where it listens.
  let address: String
  /// Which start of the server clients believe to speak with.
  var session: UInt64 = 7

  init() throws {
    context = try #require(zmq_ctx_new())
    socket = try #require(zmq_socket(context, ZMQ_ROUTER))
    var (linger, patience) = (Int32(1000), Int32(20))
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, 4)
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, 4)
    #expect(zmq_bind(socket, "tcp://127.0.0.1:*") == 0)
    var text = [CChar](repeating: 0, count: 256)
    var length = text.count
    #expect(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, &text, &length) == 0)
    address = String(decoding: text.prefix(length - 1).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    zmq_close(socket)
    zmq_ctx_term(context)
  }

  /// Why the client declined an order; it is sent away then.
  private(set) var declined: String?

  /// What it does with a client that is ready.
  enum Ending {
    case refuse(String)
    case order(String)
  }

  /// Serves a client until it has ended.
  func serve(_ task: [UInt8], _ ending: Ending, to client: RunningCommand) {
    while client.isRunning {
      guard let frames = receive(), frames.count >= 2, frames[1].count == 40 else { continue }
      switch frames[1][6] {
      case 1:
        welcome(frames[0], task)
      case 6:
        declined = frames.last.map { String(decoding: $0, as: UTF8.self) }
        send(frames[0], .refuse, Array(#"{"cause":"unsuitable","reason":"it declined"}"#.utf8))
      case 3: send(frames[0], .data, round: .max, total: UInt64(task.count), task)
      case 2:
        switch ending {
        case .refuse(let reason):
          send(frames[0], .refuse, Array("{\"cause\":\"unsuitable\",\"reason\":\"\(reason)\"}".utf8))
        case .order(let order): send(frames[0], .order, Array(order.utf8))
        }
      default: break
      }
    }
  }

  /// Greets a client back.
  func welcome(_ route: [UInt8], _ task: [UInt8]) {
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, task, UInt64(task.count))
    let name = digest.map { String(format: "%02x", $0) }.joined()
    send(route, .welcome, Array("{\"federation\":\"\(name)\",\"taskBytes\":\(task.count)}".utf8))
  }

  func receive() -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    var more: Int32 = 0
    repeat {
      var frame = [UInt8](repeating: 0, count: 1 << 16)
      let count = zmq_recv(socket, &frame, frame.count, 0)
      guard count >= 0 else { return nil }
      frames.append(Array(frame.prefix(Int(count))))
      var size = 4
      zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size)
    } while more != 0
    return frames
  }

  func send(
    _ route: [UInt8], _ kind: WireClient.Kind, round: UInt64 = 0, offset: UInt64 = 0, total: UInt64 = 0,
    _ body: [UInt8]
  ) {
    let header = WireClient.Message(
      kind: kind.rawValue, session: session, round: round, offset: offset, total: total
    ).header
    for (frame, flag) in [(route, ZMQ_SNDMORE), (header, ZMQ_SNDMORE), (body, 0)] {
      zmq_send(socket, frame, frame.count, flag)
    }
  }
}

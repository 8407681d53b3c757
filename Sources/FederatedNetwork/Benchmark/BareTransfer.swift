import Federated
import Foundation

/// What the wire cannot be faster than: as many encrypted connections as clients, by which a server sends each the same bytes
/// and takes as many back, in the same pieces, and nobody looks at them.
public enum BareTransfer {
  /// The end of the server: seconds of a round trip of all clients, for each round.
  public static func serve(
    _ address: String, _ keys: KeyPair, clients: [[UInt8]: Int], bytesDown: Int, bytesUp: Int, rounds: Int,
    began: (String) -> Void, ended: () -> Void
  ) throws(FederatedError) -> [Double] {
    let context = SocketContext(threads: 2)
    let authenticator = try Authenticator(clients, context, refused: { _ in })
    defer { authenticator.end() }
    let socket = Socket(.router, context)
    socket.limit(messages: Pieces.largestMessage)
    socket.set(ZMQ.backlog, 1024)
    socket.encrypt(as: keys)
    began(try socket.bind(address))
    let payload = Payload(bytes: bytesDown)
    var routes: [[UInt8]] = []
    func next() -> [Frame] {
      while true {
        if let frames = socket.receive() { return frames }
        _ = Poll.wait([socket], seconds: nil)
      }
    }
    while routes.count < clients.count {
      let frames = next()
      withExtendedLifetime(frames) { routes.append(Array(frames[0].bytes)) }
    }
    var seconds: [Double] = []
    for _ in 0..<rounds {
      let start = Clock.seconds()
      var (left, offsets) = (clients.count * bytesUp, [[UInt8]: Int](minimumCapacity: routes.count))
      for route in routes {
        offsets[route] = 0
        send(payload, to: route, from: 0, socket, &offsets)
      }
      while left > 0 {
        let frames = next()
        withExtendedLifetime(frames) {
          left -= frames[1].bytes.count
          // What comes back makes room for more, so that no more is on its way than a window.
          let route = Array(frames[0].bytes)
          if let offset = offsets[route], offset < bytesDown {
            send(payload, to: route, from: offset, socket, &offsets)
          }
        }
      }
      seconds.append(Clock.seconds() - start)
      ended()
    }
    for route in routes { socket.send([Frame(copying: route), Frame(copying: [0])]) }
    Thread.sleep(forTimeInterval: 0.3)
    return seconds
  }

  private static func send(
    _ payload: Payload, to route: [UInt8], from offset: Int, _ socket: Socket, _ offsets: inout [[UInt8]: Int]
  ) {
    var offset = offset
    while offset < payload.bytes.count {
      let piece = Pieces.next(from: offset, of: payload.bytes.count)
      guard
        socket.send([
          Frame(copying: route), Frame(UnsafeRawBufferPointer(rebasing: payload.bytes[piece]), of: payload),
        ])
      else { break }
      offset = piece.upperBound
    }
    offsets[route] = offset
  }

  /// The end of one client, in a thread of its own.
  static func attend(
    _ address: String, _ keys: KeyPair, server: [UInt8], bytesDown: Int, bytesUp: Int, _ context: SocketContext
  ) throws(FederatedError) {
    let socket = Socket(.dealer, context)
    socket.limit(messages: Pieces.largestMessage)
    socket.encrypt(as: keys, to: server)
    try socket.connect(address)
    socket.send([Frame(copying: [1])])
    let payload = Payload(bytes: bytesUp)
    var received = 0
    while true {
      guard let frames = socket.receive() else {
        _ = Poll.wait([socket], seconds: nil)
        continue
      }
      let count = withExtendedLifetime(frames) { frames[0].bytes.count }
      if count == 1 { return }
      received += count
      guard received == bytesDown else { continue }
      received = 0
      var offset = 0
      while offset < bytesUp {
        let piece = Pieces.next(from: offset, of: bytesUp)
        socket.send([Frame(UnsafeRawBufferPointer(rebasing: payload.bytes[piece]), of: payload)])
        offset = piece.upperBound
      }
    }
  }

  /// Bytes that stand for a model.
  private final class Payload {
    let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer

    init(bytes count: Int) {
      memory = .allocate(byteCount: count, alignment: 64)
      for index in memory.indices { memory[index] = UInt8(truncatingIfNeeded: index &* 31) }
      bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { memory.deallocate() }
  }
}

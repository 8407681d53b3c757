import CZeroMQ
import Federated
import Foundation

/// Admits connections by their keys (ZeroMQ RFC 27): who is listed gets its client number, which comes with every message.
///
/// Its thread serves all sockets of the context.  `@unchecked Sendable`: the thread alone uses the socket.
final class Authenticator: @unchecked Sendable {
  private let socket: Socket
  private let clients: [[UInt8]: Int]
  private let refused: @Sendable (_ line: String) -> Void
  private let stop = Wakeup()
  private let stopped = DispatchSemaphore(value: 0)

  /// Begins to admit the clients of some public keys; must exist before sockets listen.
  init(_ clients: [[UInt8]: Int], _ context: SocketContext, refused: @escaping @Sendable (String) -> Void)
    throws(FederatedError)
  {
    self.clients = clients
    self.refused = refused
    socket = Socket(.reply, context)
    _ = try socket.bind("inproc://zeromq.zap.01")
    let thread = Thread { [self] in serve() }
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Ends the thread; the socket closes with the last reference.
  func end() {
    stop.call()
    stopped.wait()
  }

  private func serve() {
    var lines = LogBudget(most: 1000)
    while true {
      let ready = Poll.wait([socket], descriptors: [stop.descriptor], seconds: nil)
      if ready.contains(1) { break }
      while let request = socket.receive() { socket.send(answer(request, &lines)) }
    }
    stopped.signal()
  }

  /// Frames of a request: version, request number, domain, address, routing id, mechanism, key.
  private func answer(_ request: [Frame], _ lines: inout LogBudget) -> [Frame] {
    func text(_ index: Int) -> String {
      index < request.count ? String(decoding: request[index].bytes, as: UTF8.self) : ""
    }
    let key = request.count == 7 ? Array(request[6].bytes) : []
    let client = text(5) == "CURVE" ? clients[key] : nil
    if client == nil {
      let name = key.count == KeyPair.bytes ? "key \(KeyPair.text(of: key))" : "mechanism \(text(5))"
      lines.write(
        "refused a connection from \(text(3)): \(name) is not listed", of: "refused connections", to: refused)
    }
    let (status, reason, user) = client.map { ("200", "OK", "\($0)") } ?? ("400", "this key is not listed", "")
    let number = request.count > 1 ? Array(request[1].bytes) : []
    return [Array("1.0".utf8), number, Array(status.utf8), Array(reason.utf8), Array(user.utf8), []].map {
      $0.withUnsafeBytes { Frame($0) }
    }
  }
}

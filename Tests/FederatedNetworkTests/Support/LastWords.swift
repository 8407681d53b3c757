import Foundation

/// A server that gives answers, one a connection, and then is gone.
final class LastWords {
  let port: UInt16

  init(_ answers: [String]) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = RawHTTP.loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) | listen(listener, 8) | getsockname(listener, $0, &size)
      }
    }
    guard result == 0 else { throw RawHTTP.Failure(description: "cannot listen") }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread {
      var rest = answers[...]
      while let answer = rest.first {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { break }
        var part = [UInt8](repeating: 0, count: 1 << 14)
        // Browsers also open connections on which they say nothing.
        if recv(connection, &part, part.count, 0) > 0 {
          rest.removeFirst()
          var bytes = Array(answer.utf8)[...]
          while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { break }
            bytes = bytes.dropFirst(count)
          }
        }
        close(connection)
      }
      close(listener)
    }
  }
}

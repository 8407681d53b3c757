import Foundation

/// A connection on which a test says exactly what it wants to, byte by byte.
final class RawHTTP {
  struct Failure: Error, CustomStringConvertible { let description: String }

  /// What a server answered.
  struct Answer {
    let status: Int
    /// By names in small letters.
    let headers: [String: String]
    let body: String

    /// The body as JSON.
    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]) ?? [:]
    }
  }

  private let descriptor: Int32
  private let port: UInt16

  /// Connects to the loopback; reading gives up after a while, so that a test fails and does not hang.
  init(port: UInt16) throws {
    self.port = port
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = RawHTTP.loopback(port)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure(description: "cannot connect: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  func send(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      // The other side may refuse before all is said.
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Everything until the server closes the connection.
  func everything() throws -> String {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &part, part.count, 0)
      if count == 0 || count < 0 && errno == ECONNRESET { return String(decoding: bytes, as: UTF8.self) }
      guard count > 0 else { throw Failure(description: "no answer: \(String(cString: strerror(errno)))") }
      bytes += part[..<count]
    }
  }

  /// Asks for one page on a connection of its own.
  static func ask(
    _ port: UInt16, _ path: String, method: String = "GET", host: String? = nil, more: String = ""
  ) throws -> Answer {
    let connection = try RawHTTP(port: port)
    connection.send(
      "\(method) \(path) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\nConnection: close\r\n\(more)\r\n")
    return try answer(connection.everything())
  }

  /// Takes an answer apart; its body must be as long as it says, or empty after HEAD.
  static func answer(_ text: String) throws -> Answer {
    guard let end = text.range(of: "\r\n\r\n") else { throw Failure(description: "no head in `\(text)`") }
    let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
      throw Failure(description: "no status in `\(lines[0])`")
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { throw Failure(description: "no header: `\(line)`") }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return Answer(status: status, headers: headers, body: String(text[end.upperBound...]))
  }
}

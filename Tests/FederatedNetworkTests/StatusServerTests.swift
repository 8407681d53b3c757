import Federated
import FederatedNetwork
import Foundation
import Testing

@Suite("A status page over HTTP") struct StatusServerTests {
  private func server(_ status: FederationStatus = .sample(clients: 12)) throws -> (StatusServer, UInt16) {
    let server = try StatusServer(at: .parse("http://127.0.0.1:0"), showing: StatusBoard(status))
    return (server, server.address.port)
  }

  static let pages = ["/": "text/html", "/status.json": "application/json", "/metrics": "text/plain; version=0.0.4"]

  @Test("GET answers, HEAD answers the same without a body, and nothing may be kept or guessed", arguments: pages)
  func get(_ path: String, _ type: String) throws {
    let (server, port) = try server()
    let answer = try RawHTTP.ask(port, path)
    let head = try RawHTTP.ask(port, path, method: "HEAD")
    for answer in [answer, head] {
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"]?.hasPrefix(type) == true)
      #expect(answer.headers["cache-control"] == "no-store")
      #expect(answer.headers["x-content-type-options"] == "nosniff")
      #expect(answer.headers["access-control-allow-origin"] == nil)
    }
    #expect(answer.headers["content-length"] == "\(answer.body.utf8.count)")
    #expect(!answer.body.isEmpty && head.body.isEmpty)
    withExtendedLifetime(server) {}
  }

  @Test("the page needs nothing from elsewhere and allows nothing but its own script and style") func page() throws {
    let (server, port) = try server()
    let answer = try RawHTTP.ask(port, "/")
    let policy = try #require(answer.headers["content-security-policy"])
    #expect(policy.hasPrefix("default-src 'none';"))
    #expect(!policy.contains("unsafe") && !policy.contains("*") && !policy.contains("http"))
    #expect(policy.components(separatedBy: "'sha256-").count == 3)
    for word in [" src=", "url(", "@import", "innerHTML", "eval(", "javascript:", "style=", "onclick="] {
      #expect(!answer.body.contains(word), "\(word)")
    }
    let addresses = answer.body.components(separatedBy: "http").dropFirst().map { "http" + $0.prefix(22) }
    #expect(addresses.allSatisfy { $0 == "http://www.w3.org/2000/svg" }, "\(addresses)")
    withExtendedLifetime(server) {}
  }

  @Test("it is read only", arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "NONSENSE"])
  func methods(_ method: String) throws {
    let (server, port) = try server()
    for (path, _) in StatusServerTests.pages {
      let answer = try RawHTTP.ask(port, path, method: method, more: "Content-Length: 5\r\n\r\nhello")
      #expect(answer.status == 405)
      #expect(answer.headers["allow"] == "GET, HEAD")
    }
    withExtendedLifetime(server) {}
  }

  @Test(
    "nothing else is there",
    arguments: [
      "/status", "/favicon.ico", "//", "/../etc/passwd", "/%2e%2e/", "/metrics/", "*", "/é",
    ])
  func others(_ path: String) throws {
    let (server, port) = try server()
    #expect([400, 404].contains(try RawHTTP.ask(port, path).status))
    #expect(try RawHTTP.ask(port, "/").status == 200)
    withExtendedLifetime(server) {}
  }

  @Test(
    "names that lead here by deceit are refused",
    arguments: [
      "evil.example", "evil.example:PORT", "127.0.0.1.evil.example:PORT", "localhost.evil.example:PORT", "", ":PORT",
      "10.0.0.1:PORT", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:PORT:PORT", "user@127.0.0.1:PORT", "[::1", "0.0.0.0:PORT",
    ])
  func hosts(_ host: String) throws {
    let (server, port) = try server()
    let answer = try RawHTTP.ask(port, "/status.json", host: host.replacingOccurrences(of: "PORT", with: "\(port)"))
    #expect([400, 421].contains(answer.status))
    #expect(!answer.body.contains("fashion"))
    withExtendedLifetime(server) {}
  }

  @Test("the loopback has many names", arguments: ["localhost", "LOCALHOST", "127.0.0.1", "127.3.2.1", "[::1]"])
  func loopback(_ host: String) throws {
    let (server, port) = try server()
    #expect(try RawHTTP.ask(port, "/status.json", host: "\(host):\(port)").status == 200)
    withExtendedLifetime(server) {}
  }

  @Test("bound to every address it answers to addresses, not to names") func everywhere() throws {
    let server = try StatusServer(at: .parse("http://0.0.0.0:0"), showing: StatusBoard(.sample(clients: 1)))
    let port = server.address.port
    for (host, status) in [("10.1.2.3", 200), ("[fe80::1]", 200), ("localhost", 200), ("evil.example", 421)] {
      #expect(try RawHTTP.ask(port, "/metrics", host: "\(host):\(port)").status == status, "\(host)")
    }
  }

  /// What is no request, by what is wrong with it.
  static let nonsense = [
    "a long line": "GET /" + String(repeating: "a", count: 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": "GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "b", count: 100_000) + "\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "two hosts": "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n",
    "a word": "\r\n\r\n\r\n\r\nGET\r\n\r\n",
    "another version": "GET / HTTP/9.9\r\n\r\n",
    "an encrypted beginning": "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n",
    "HTTP 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless body": "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\nffffffffffffffffff\r\n",
  ]

  @Test("requests that are none end their connection and nothing else", arguments: nonsense.keys.sorted())
  func malformed(_ what: String) throws {
    let (server, port) = try server()
    let connection = try RawHTTP(port: port)
    connection.send(StatusServerTests.nonsense[what] ?? "")
    let text = try connection.everything()
    #expect(!text.contains(" 200 ") && !text.contains("fashion"))
    #expect(try RawHTTP.ask(port, "/").status == 200)
    withExtendedLifetime(server) {}
  }

  @Test(
    "connections that say nothing, or not enough, keep nobody out", .serialized,
    arguments: ["", "GET / HTT", "POST / HTTP/1.1\r\nHost:"])
  func idle(_ beginning: String) throws {
    let (server, port) = try server()
    let connections = try (0..<200).map { _ in try RawHTTP(port: port) }
    for connection in connections { connection.send(beginning) }
    for _ in 0..<5 { #expect(try RawHTTP.ask(port, "/status.json").status == 200) }
    // The first have been ended to make room; the last are still there.
    #expect(try connections[0].everything() == "")
    let last = try #require(connections.last)
    if beginning.isEmpty {
      last.send("GET /metrics HTTP/1.1\r\nHost: localhost:\(port)\r\nConnection: close\r\n\r\n")
      #expect(try RawHTTP.answer(last.everything()).status == 200)
    }
    withExtendedLifetime(server) {}
  }

  @Test("an answer ends its connection, whatever else is said on it") func several() throws {
    let (server, port) = try server()
    let connection = try RawHTTP(port: port)
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost:\(port)\r\n"
    connection.send(request + "Content-Length: 9\r\n\r\n" + request + "\r\n")
    let text = try connection.everything()
    #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2)
    #expect(try RawHTTP.answer(text).headers["connection"] == "close")
    withExtendedLifetime(server) {}
  }

  @Test("what the server writes is seen at once, and its end frees the port") func follows() throws {
    let board = StatusBoard(.sample(clients: 3))
    var server: StatusServer? = try StatusServer(at: .parse("http://127.0.0.1:0"), showing: board)
    let address = try #require(server?.address)
    board.update { $0.round = 41 }
    #expect(try RawHTTP.ask(address.port, "/status.json").json["round"] as? Int == 41)
    do throws(FederatedError) {
      _ = try StatusServer(at: address, showing: board)
      Issue.record("two at one address")
    } catch {
      #expect(error.kind == .refused)
      #expect(error.message.contains("\(address)") && error.message.contains("in use"))
    }
    server = nil
    #expect(throws: RawHTTP.Failure.self) { try RawHTTP(port: address.port) }
    _ = try StatusServer(at: address, showing: board)
  }

  @Test("a host that is none is said", arguments: ["http://a..b:1", "http://\(String(repeating: "a", count: 64)):1"])
  func unknown(_ text: String) throws {
    let address = try StatusAddress.parse(text)
    #expect(throws: FederatedError.self) { try StatusServer(at: address, showing: StatusBoard(.sample(clients: 1))) }
  }
}

import Federated

/// Where a status page is served: `http://HOST:PORT`.
public struct StatusAddress: Sendable, Hashable, CustomStringConvertible {
  /// A name or an address, IPv6 without brackets.
  public let host: String
  /// The port; 0 takes any that is free.
  public let port: UInt16

  /// An address; the loopback where no host is said.
  public init(host: String = "127.0.0.1", port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Takes `http://HOST:PORT` apart; `http://:PORT` is the loopback. Throws `.usage` for anything else.
  public static func parse(_ text: String) throws(FederatedError) -> StatusAddress {
    func refusal(_ reason: String) -> FederatedError {
      FederatedError(
        .usage, "--status is `\(text)`: \(reason); expected http://HOST:PORT, such as http://127.0.0.1:8080")
    }
    let words = text.lowercased()
    if words.hasPrefix("https://") {
      throw refusal("the page is not encrypted: put it behind a web server that speaks https")
    }
    guard words.hasPrefix("http://") else { throw refusal("it does not begin with http://") }
    var rest = words.dropFirst("http://".count)
    if rest.last == "/" { rest.removeLast() }
    guard !rest.contains(where: { "/?#".contains($0) }) else { throw refusal("it has a path") }
    guard let colon = rest.lastIndex(of: ":"), rest.last != "]" else { throw refusal("it has no port") }
    let digits = rest[rest.index(after: colon)...]
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else {
      throw refusal("`\(digits)` is no port from 0 to 65535")
    }
    guard let host = host(of: rest[..<colon]) else { throw refusal("`\(rest[..<colon])` is no host") }
    return StatusAddress(host: host, port: port)
  }

  /// Whether only this machine reaches it.
  public var isLoopback: Bool { StatusAddress.isLoopback(host) }

  /// `http://127.0.0.1:8080`.
  public var description: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || isIPv4(host) && host.hasPrefix("127.")
  }

  /// Whether a host is four numbers.
  static func isIPv4(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
  }

  /// The host of an authority without its port, brackets removed; nil where it is none.
  static func host(of text: Substring) -> String? {
    if text.isEmpty { return "127.0.0.1" }
    if text.first == "[" {
      let inside = text.dropFirst().dropLast()
      guard text.last == "]", inside.contains(":"), inside.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." })
      else { return nil }
      return String(inside)
    }
    let isName = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
    return isName ? String(text) : nil
  }
}

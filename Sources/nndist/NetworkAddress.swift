import Federated
import Training

/// Addresses of the federated wire on the command line.
enum NetworkAddress {
  static let listen = Flag("--listen", "ADDRESS", "where to listen: tcp://HOST:PORT, 0.0.0.0 for all interfaces")
  static let connect = Flag("--connect", "ADDRESS", "where the server is: tcp://HOST:PORT")
  static let insecure = Flag("--insecure", nil, "neither keys nor encryption; on loopback only")

  static func listening(_ arguments: Arguments) throws(RunError) -> String {
    try address(listen, arguments, canBeAny: true)
  }

  static func connecting(_ arguments: Arguments) throws(RunError) -> String {
    try address(connect, arguments, canBeAny: false)
  }

  /// Whether connections go without keys, which they may on loopback only.
  static func isInsecure(_ arguments: Arguments, _ address: String) throws(RunError) -> Bool {
    guard arguments.has(insecure) else { return false }
    guard isLoopback(address) else {
      throw RunError(
        .usage,
        "--insecure goes on loopback only, and \(address) is not: use tcp://127.0.0.1:PORT, or make keys with nndist keys DIR"
      )
    }
    return true
  }

  private static func address(_ flag: Flag, _ arguments: Arguments, canBeAny: Bool) throws(RunError) -> String {
    guard let text = arguments.value(flag) else {
      throw RunError(.usage, "\(flag.name) is missing; write \(flag.name) tcp://127.0.0.1:9000")
    }
    guard let (host, port) = parts(text), !host.isEmpty, canBeAny || (port > 0 && host != "*") else {
      throw RunError(.usage, "\(flag.name) is `\(text)`; expected tcp://HOST:PORT, such as tcp://127.0.0.1:9000")
    }
    return text
  }

  private static func parts(_ text: String) -> (host: String, port: Int)? {
    guard text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":"),
      colon > text.index(text.startIndex, offsetBy: 5),
      let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port)
    else { return nil }
    return (String(text[text.index(text.startIndex, offsetBy: 6)..<colon]), port)
  }

  static func isLoopback(_ address: String) -> Bool {
    guard let host = parts(address)?.host else { return false }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return host == "[::1]" || host == "localhost"
      || (numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil })
  }
}

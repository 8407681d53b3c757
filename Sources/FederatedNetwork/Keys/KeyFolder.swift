import Federated
import Glibc

/// A folder of keys, from which a server and its clients know each other:
///
///     server.public  server.secret  clients/0.public  clients/0.secret  clients/1.public  …
///
/// A key is 40 characters of Z85 and the end of a line. Secrets are readable by their owner alone.
///
/// The server needs `server.secret` and every `clients/K.public`; client K needs `server.public` and `clients/K.secret`, and for
/// secure aggregation every `clients/K.public`. No machine but the one that made them needs more: a secret that has been handed
/// out may be deleted here.
public struct KeyFolder: Sendable, Hashable {
  /// The most clients that a folder holds keys of.
  public static let maximumClients = 100_000

  /// Where it lies.
  public let path: String

  /// The folder at a path, which need not exist.
  public init(_ path: String) { self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }

  /// What client K is given, relative to the folder: copy these, and nothing else, to its machine.
  public static func files(of client: String) -> [String] {
    ["server.public", "clients/\(client).secret", "clients/*.public"]
  }

  var serverSecret: KeyFile { KeyFile("\(path)/server.secret") }
  var serverPublic: KeyFile { KeyFile("\(path)/server.public") }
  var clientsPath: String { "\(path)/clients" }
  func clientSecret(_ client: Int) -> KeyFile { KeyFile("\(clientsPath)/\(client).secret") }
  func clientPublic(_ client: Int) -> KeyFile { KeyFile("\(clientsPath)/\(client).public") }

  /// The public keys of clients, by number. Throws `.data` for a damaged one, a name that is no number, and two clients of one
  /// key.
  func clientKeys() throws(FederatedError) -> [Int: [UInt8]] {
    var keys: [Int: [UInt8]] = [:]
    var numbers: [[UInt8]: Int] = [:]
    for name in try names(in: clientsPath) where name.hasSuffix(".public") && !name.hasPrefix(".") {
      let word = String(name.dropLast(".public".count))
      guard let client = Int(word), client >= 0, "\(client)" == word else {
        throw FederatedError(
          .data, "\(clientsPath)/\(name): `\(word)` is no client's number; remove or rename the file")
      }
      let key = try clientPublic(client).read()
      if let other = numbers[key] {
        throw FederatedError(
          .data,
          "\(clientPublic(min(client, other)).path) and \(clientPublic(max(client, other)).path) hold the same key: "
            + "every client needs its own")
      }
      numbers[key] = client
      keys[client] = key
    }
    return keys
  }

  /// Names in a folder, in order; none where there is no folder.
  private func names(in folder: String) throws(FederatedError) -> [String] {
    guard let directory = opendir(folder) else {
      if errno == ENOENT { return [] }
      throw FederatedError(.data, "\(folder): \(String(cString: strerror(errno)))")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.sorted()
  }
}

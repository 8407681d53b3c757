import Federated

/// What a server reads of a folder of keys.
public struct ServerKeys: Sendable {
  /// Its own pair.
  public let pair: KeyPair
  /// The clients that it admits: their numbers by their public keys.
  public let clients: [[UInt8]: Int]
}

extension KeyFolder {
  /// The keys of a server: `server.secret` and every `clients/K.public`.
  ///
  /// Throws `.data` for keys that are missing, damaged, shared by two clients or not the server's own, `.refused` where others
  /// may read its secret.
  public func server() throws(FederatedError) -> ServerKeys {
    let pair = KeyPair(secretKey: try serverSecret.readSecret())
    if serverPublic.exists, try serverPublic.read() != pair.publicKey {
      throw KeyFolder.mismatch(serverSecret, serverPublic)
    }
    let keys = try clientKeys()
    guard !keys.isEmpty else {
      throw FederatedError(.data, "\(clientsPath) holds no client's public key, so that none could be admitted")
    }
    if let client = keys.first(where: { $0.value == pair.publicKey })?.key {
      throw FederatedError(
        .data, "\(clientPublic(client).path) is the server's own key: client \(client) needs its own")
    }
    return ServerKeys(pair: pair, clients: Dictionary(uniqueKeysWithValues: keys.map { ($0.value, $0.key) }))
  }
}

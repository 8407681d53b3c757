import Federated

/// What a client reads of a folder of keys.
public struct ClientKeys: Sendable {
  /// Its number.
  public let client: Int
  /// Its own pair.
  public let pair: KeyPair
  /// The public key of the server that it trusts.
  public let server: [UInt8]
  /// The public keys of clients that are there, its own among them, by number: whom it believes in secure aggregation.
  public let clients: [Int: [UInt8]]
}

extension KeyFolder {
  /// The keys of a client: `clients/K.secret`, `server.public`, and whatever `clients/*.public` there are.
  ///
  /// Throws `.data` for keys that are missing, damaged, shared by two clients or not its own, `.refused` where others may read
  /// its secret.
  public func client(_ client: Int) throws(FederatedError) -> ClientKeys {
    let pair = KeyPair(secretKey: try clientSecret(client).readSecret())
    let server = try serverPublic.read()
    var clients = try clientKeys()
    if let key = clients[client], key != pair.publicKey {
      throw KeyFolder.mismatch(clientSecret(client), clientPublic(client))
    }
    clients[client] = pair.publicKey
    return ClientKeys(client: client, pair: pair, server: server, clients: clients)
  }
}

import Federated
import Glibc

extension KeyFolder {
  /// What `make` did.
  public struct Made: Sendable, Hashable {
    /// The server's public key.
    public let serverPublic: [UInt8]
    /// How many clients got keys.
    public let added: Int
  }

  /// Makes the keys of a server and of clients 0..<clients, or those that an earlier call left out: of more clients, or because
  /// it was interrupted. No pair that exists is changed; a client whose public key was taken away, and its number with it, gets a
  /// new pair: who has the old one stays shut out.
  ///
  /// Throws `.usage` for a number that makes no sense, `.refused` where every key exists already or files cannot be written,
  /// `.data` where keys are damaged or contradict each other.
  public func make(clients: Int) throws(FederatedError) -> Made {
    guard (1...KeyFolder.maximumClients).contains(clients) else {
      throw FederatedError(
        .usage, "--clients is `\(clients)`; expected a whole number from 1 to \(KeyFolder.maximumClients)")
    }
    try makeFolder(path)
    let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard lock >= 0 else { throw unwritable(path) }
    // Closing it also lets the lock go.
    defer { close(lock) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw FederatedError(.refused, "another nndist keys is at work in \(path): wait for its end")
    }
    let existing = try clientKeys()
    let first = existing.keys.max().map { $0 + 1 } ?? 0
    let missing = (0..<clients).filter { existing[$0] == nil }
    if missing.isEmpty, serverPublic.exists {
      throw FederatedError(
        .refused,
        "\(path) holds keys of \(existing.count) client\(existing.count == 1 ? "" : "s") already, and none is "
          + "replaced: give --clients more than \(first) to add some, or another folder")
    }
    guard serverSecret.exists || !serverPublic.exists && existing.isEmpty else {
      throw FederatedError(
        .data,
        "\(path) holds public keys but no server.secret, as a client's folder does: name the server's, or a new one")
    }
    try makeFolder(clientsPath)
    let server = try pair(serverSecret, serverPublic)
    for client in missing {
      unlink(clientSecret(client).path)
      _ = try pair(clientSecret(client), clientPublic(client))
    }
    // Once for all files: once for each would take seconds for a thousand clients.
    sync()
    return Made(serverPublic: server.publicKey, added: missing.count)
  }

  /// The pair of two files, made where there is none. The secret comes first, so that a public key always has had one.
  private func pair(_ secret: KeyFile, _ open: KeyFile) throws(FederatedError) -> KeyPair {
    let pair: KeyPair
    if secret.exists {
      pair = KeyPair(secretKey: try secret.readSecret())
    } else {
      pair = .random()
      try secret.write(pair.secretKey, isSecret: true)
    }
    if open.exists {
      guard try open.read() == pair.publicKey else { throw KeyFolder.mismatch(secret, open) }
    } else {
      try open.write(pair.publicKey, isSecret: false)
    }
    return pair
  }

  static func mismatch(_ secret: KeyFile, _ open: KeyFile) -> FederatedError {
    FederatedError(
      .data, "\(secret.path) and \(open.path) are not of one pair: copy both from where nndist keys made them")
  }

  private func makeFolder(_ path: String) throws(FederatedError) {
    if mkdir(path, 0o700) != 0, errno != EEXIST { throw unwritable(path) }
  }

  private func unwritable(_ path: String) -> FederatedError {
    FederatedError(.refused, "cannot keep keys in \(path): \(String(cString: strerror(errno)))")
  }
}

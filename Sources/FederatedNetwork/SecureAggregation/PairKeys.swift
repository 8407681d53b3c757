import CSodium

/// Derivation of what two clients, or one with itself, use a secret for: BLAKE2b, keyed by the secret, over the purpose, the
/// federation, the round, and both clients with their ephemeral keys, the lower number first.
enum PairKeys {
  /// Purposes, which keep keys apart.
  enum Purpose: UInt8 {
    case shares = 1
    case mask, seed, commitment
  }

  static func context(_ purpose: Purpose, _ round: SecureRound, _ parties: [SecureParty]) -> [UInt8] {
    var writer = SecureMessageWriter()
    writer.bytes = Array("nndist secure aggregation 1".utf8) + [purpose.rawValue]
    writer.count(round.federation.count)
    writer.bytes += round.federation
    writer.number(UInt64(round.round))
    for party in parties.sorted(by: { $0.client < $1.client }) {
      writer.client(party.client)
      party.keys.write(&writer)
    }
    return writer.bytes
  }

  /// The key of the mask s_ij between the holder of a secret mask key and another; nil where the other's key is none.
  static func mask(
    _ secret: Secret, of own: SecureParty, with other: SecureParty, _ round: SecureRound
  ) -> Secret? {
    secret.agree(with: other.keys.mask)?.derived(context(.mask, round, [own, other]))
  }

  /// The key of a client's own mask, from its seed b.
  static func ownMask(_ seed: Secret, of client: SecureParty, _ round: SecureRound) -> Secret {
    seed.derived(context(.seed, round, [client]))
  }

  /// What a client says of its seed beforehand.
  static func commitment(_ seed: Secret, of client: SecureParty, _ round: SecureRound) -> [UInt8] {
    seed.derived(context(.commitment, round, [client])).revealed(0..<Secret.bytes)
  }
}

/// What two clients tell each other through the server: XChaCha20-Poly1305 with a key that only they have.
///
/// The key comes from the ephemeral keys of both and, where clients know each other's long-term keys, from those too, which a
/// server that puts in keys of its own does not have; and it is bound to all four ephemeral keys, those for masks included.
/// Sender, receiver, federation and round are associated data.
struct PairChannel {
  /// Nonce, a share of each secret, tag.
  static let boxBytes = nonceBytes + 2 * Secret.bytes + tagBytes
  private static let nonceBytes = Int(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
  private static let tagBytes = Int(crypto_aead_xchacha20poly1305_ietf_ABYTES)

  private let key: Secret
  private let round: SecureRound

  /// Nil where a key of the other is none.
  init?(
    _ encryption: Secret, _ identity: (secret: Secret, other: [UInt8])?, of own: SecureParty,
    with other: SecureParty, _ round: SecureRound
  ) {
    guard var shared = encryption.agree(with: other.keys.encryption) else { return nil }
    if let identity {
      guard let more = identity.secret.agree(with: identity.other) else { return nil }
      shared = shared.followed(by: more)
    }
    key = shared.derived(PairKeys.context(.shares, round, [own, other]))
    self.round = round
  }

  func seal(_ shares: Secret, from sender: Int, to receiver: Int) -> [UInt8] {
    precondition(shares.count == 2 * Secret.bytes, "shares of \(shares.count) bytes")
    let associated = associated(sender, receiver)
    var nonce = [UInt8](repeating: 0, count: PairChannel.nonceBytes)
    randombytes_buf(&nonce, nonce.count)
    var box = [UInt8](repeating: 0, count: shares.count + PairChannel.tagBytes)
    let result = key.withBytes { key in
      shares.withBytes { shares in
        crypto_aead_xchacha20poly1305_ietf_encrypt(
          &box, nil, shares, UInt64(2 * Secret.bytes), associated, UInt64(associated.count), nil, nonce, key)
      }
    }
    precondition(result == 0, "libsodium encrypts nothing")
    return nonce + box
  }

  /// Nil for anything but what the sender has sealed for the receiver in this round.
  func open(_ box: [UInt8], from sender: Int, to receiver: Int) -> Secret? {
    guard box.count == PairChannel.boxBytes else { return nil }
    let associated = associated(sender, receiver)
    let (nonce, sealed) = (Array(box.prefix(PairChannel.nonceBytes)), Array(box.dropFirst(PairChannel.nonceBytes)))
    var isGenuine = false
    let shares = Secret(count: 2 * Secret.bytes) { shares in
      isGenuine = key.withBytes { key in
        crypto_aead_xchacha20poly1305_ietf_decrypt(
          shares, nil, nil, sealed, UInt64(sealed.count), associated, UInt64(associated.count), nonce, key) == 0
      }
    }
    return isGenuine ? shares : nil
  }

  private func associated(_ sender: Int, _ receiver: Int) -> [UInt8] {
    var writer = SecureMessageWriter()
    writer.client(sender)
    writer.client(receiver)
    writer.number(UInt64(round.round))
    return writer.bytes + round.federation
  }
}

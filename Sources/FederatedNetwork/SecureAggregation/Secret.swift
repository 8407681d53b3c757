import CSodium

/// Bytes that nobody else may know; zeroed when they are not needed any more.
package final class Secret {
  /// Bytes of keys, seeds and shares.
  package static let bytes = 32

  package let count: Int
  private let base: UnsafeMutablePointer<UInt8>

  /// Bytes that `fill` writes over zeros.
  package init(count: Int = Secret.bytes, _ fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    NetworkLibraries.begin()
    self.count = count
    base = .allocate(capacity: count)
    base.initialize(repeating: 0, count: count)
    fill(base)
  }

  /// A copy of bytes that are held elsewhere.
  package convenience init(_ bytes: some Collection<UInt8>) {
    self.init(count: bytes.count) { target in for (place, byte) in bytes.enumerated() { target[place] = byte } }
  }

  deinit {
    sodium_memzero(base, count)
    base.deallocate()
  }

  /// Bytes of the system's randomness.
  package static func random() -> Secret { Secret { randombytes_buf($0, Secret.bytes) } }

  /// Lets a function look at the bytes while it runs.
  func withBytes<Result>(_ body: (UnsafeMutablePointer<UInt8>) -> Result) -> Result { body(base) }

  /// Some of the bytes, to be sent.
  package func revealed(_ range: Range<Int>) -> [UInt8] {
    precondition(range.upperBound <= count, "bytes \(range) of \(count)")
    return range.map { base[$0] }
  }

  // MARK: Keys

  /// A secret X25519 key of the system's randomness, with the bits that the curve ignores as RFC 7748 sets them: two keys with
  /// one public key would let shares be changed unseen.
  static func randomKey() -> Secret {
    Secret { key in
      randombytes_buf(key, Secret.bytes)
      key[0] &= 0xF8
      key[31] = key[31] & 0x7F | 0x40
    }
  }

  /// Whether those bits are so.
  var isCanonicalKey: Bool { base[0] & 7 == 0 && base[31] & 0xC0 == 0x40 }

  /// The X25519 key that belongs to this secret one.
  var publicKey: [UInt8] {
    var key = [UInt8](repeating: 0, count: Secret.bytes)
    precondition(crypto_scalarmult_base(&key, base) == 0, "libsodium multiplies no points")
    return key
  }

  /// X25519 with another's public key; nil where that is a point of small order, which would give everybody the same.
  func agree(with publicKey: [UInt8]) -> Secret? {
    precondition(count == Secret.bytes && publicKey.count == Secret.bytes, "a key of another length")
    var isKey = false
    let shared = Secret { isKey = crypto_scalarmult($0, base, publicKey) == 0 }
    return isKey ? shared : nil
  }

  /// Both secrets, one behind the other.
  func followed(by other: Secret) -> Secret {
    Secret(count: count + other.count) { target in
      target.update(from: base, count: count)
      (target + count).update(from: other.base, count: other.count)
    }
  }

  /// 32 bytes of BLAKE2b over public bytes, keyed by this secret of at most 64.
  func derived(_ context: [UInt8]) -> Secret {
    Secret { target in
      precondition(
        crypto_generichash(target, Secret.bytes, context, UInt64(context.count), base, count) == 0,
        "libsodium hashes nothing")
    }
  }
}

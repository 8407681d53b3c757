import CSodium
import CZeroMQ
import Federated

/// An X25519 key pair as CurveZMQ has it: 32 bytes each, written as 40 characters of Z85 (ZeroMQ RFC 32).
///
/// The same keys that encrypt a connection say who clients are to each other in secure aggregation.
public struct KeyPair: Sendable, Hashable {
  /// Bytes of a key.
  public static let bytes = 32
  /// Characters of a key.
  public static let characters = 40

  /// What others may know.
  public let publicKey: [UInt8]
  /// What nobody else may know.
  public let secretKey: [UInt8]

  /// A pair of the system's randomness.
  public static func random() -> KeyPair {
    NetworkLibraries.begin()
    var (publicKey, secretKey) = ([UInt8](repeating: 0, count: bytes), [UInt8](repeating: 0, count: bytes))
    precondition(crypto_box_keypair(&publicKey, &secretKey) == 0, "libsodium makes no keys")
    return KeyPair(publicKey: publicKey, secretKey: secretKey)
  }

  init(publicKey: [UInt8], secretKey: [UInt8]) {
    precondition(publicKey.count == KeyPair.bytes && secretKey.count == KeyPair.bytes, "a key of another length")
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// The pair of a secret key.
  public init(secretKey: [UInt8]) {
    NetworkLibraries.begin()
    var publicKey = [UInt8](repeating: 0, count: KeyPair.bytes)
    precondition(crypto_scalarmult_base(&publicKey, secretKey) == 0, "libsodium multiplies no points")
    self.init(publicKey: publicKey, secretKey: secretKey)
  }

  /// A key as 40 characters.
  public static func text(of key: [UInt8]) -> String {
    var characters = [CChar](repeating: 0, count: KeyPair.characters + 1)
    precondition(zmq_z85_encode(&characters, key, key.count) != nil, "a key of another length")
    return String(decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The key that 40 characters are; nil where they are none.
  public static func key(of text: String) -> [UInt8]? {
    var key = [UInt8](repeating: 0, count: bytes)
    guard text.utf8.count == characters, zmq_z85_decode(&key, text) != nil else { return nil }
    return key
  }
}

/// The libraries of the wire, made ready once.
enum NetworkLibraries {
  private static let isReady: Bool = sodium_init() >= 0

  /// Before anything of libsodium is used.
  static func begin() { precondition(isReady, "libsodium does not start") }
}

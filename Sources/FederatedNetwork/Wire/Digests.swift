import CSodium

/// Digests of what travels.
enum Digests {
  /// SHA-256 in hexadecimal.
  static func sha256(_ bytes: [UInt8]) -> String {
    NetworkLibraries.begin()
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, bytes, UInt64(bytes.count))
    return hexadecimal(digest)
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

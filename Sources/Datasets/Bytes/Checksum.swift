import CSodium
import Tensors

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces, by libsodium.
public struct Checksum: Sendable {
  private var state = crypto_hash_sha256_state()

  /// The checksum of nothing yet.
  public init() { crypto_hash_sha256_init(&state) }

  /// Appends bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    crypto_hash_sha256_update(&state, base.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }

  /// Appends an integer as eight bytes, least significant first.
  public mutating func update(_ value: Int) {
    withUnsafeBytes(of: Int64(value).littleEndian) { update($0) }
  }

  /// Appends a shape.
  public mutating func update(_ shape: Shape) {
    update(shape.rank)
    for extent in shape.dimensions { update(extent) }
  }

  /// Appends the memory of an array of plain values.
  public mutating func update<Scalar: BitwiseCopyable>(_ scalars: [Scalar]) {
    scalars.withUnsafeBytes { update($0) }
  }

  /// The 64 hexadecimal digits of what was appended so far.
  public func hexadecimal() -> String {
    var copy = state
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256_final(&copy, &digest)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The checksum of a file, read once in pieces.
  public static func file(_ path: String) throws(DataError) -> String {
    let file = try ByteBlock.map(path)
    var checksum = Checksum()
    checksum.update(file.bytes)
    return checksum.hexadecimal()
  }
}

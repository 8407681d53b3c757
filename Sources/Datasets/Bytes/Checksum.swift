import COpenSSL
import Glibc
import Tensors

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces, by OpenSSL, which has the CPU's own instructions for it.
public struct Checksum: Sendable {
  private var state = State()

  /// The checksum of nothing yet.
  public init() {}

  /// Appends bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
    if let base = bytes.baseAddress { EVP_DigestUpdate(state.context, base, bytes.count) }
  }

  /// OpenSSL's state, which lies in its own memory.
  ///
  /// `@unchecked Sendable`: only a checksum that nobody else refers to changes it.
  private final class State: @unchecked Sendable {
    let context: OpaquePointer

    /// OpenSSL must not clean up when the process exits: other threads may still be using it.
    private static let isReady = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    init() {
      guard State.isReady, let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
        preconditionFailure("OpenSSL has no SHA-256")
      }
      self.context = context
    }

    convenience init(copying other: State) {
      self.init()
      EVP_MD_CTX_copy_ex(context, other.context)
    }

    deinit { EVP_MD_CTX_free(context) }
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
    // Ending a state leaves nothing to append to.
    let end = State(copying: state)
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(end.context, &digest, nil)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The checksum of a file, read once in pieces, of which one lies in memory at a time.
  public static func file(_ path: String) throws(DataError) -> String {
    let file = try ByteBlock.map(path)
    var checksum = Checksum()
    for start in stride(from: 0, to: file.bytes.count, by: piece) {
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(start + piece, file.bytes.count)])
      checksum.update(bytes)
      // The file keeps them; what the process holds must not grow with it.
      madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED)
    }
    return checksum.hexadecimal()
  }

  /// Whole pages.
  private static let piece = 1 << 20
}

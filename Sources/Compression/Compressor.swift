/// A way to say a vector of Float32 in fewer bytes: a message of a size that count and options alone decide, so that ranks
/// exchange messages without telling sizes.
///
/// A message is little-endian and may begin at any address.  Encoding is a pure function of the vector and the key; only
/// stochastic methods and shared index sets read the key.  A NaN or an infinity in the vector shows in the decoded vector,
/// each method says where.  An object may own scratch memory, so it serves one thread at a time.
public protocol Compressor {
  /// Bytes of the message of `count` scalars.
  func byteCount(of count: Int) -> Int

  /// Writes the message of `count` scalars: exactly `byteCount(of: count)` bytes.
  func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer)

  /// Gets ready to decode messages of `count` scalars that were encoded elsewhere with a key.
  func prepare(count: Int, key: CompressionKey)

  /// Why bytes of the right number are no message that `encode` writes; nil where they may be one.  Whatever they are, decoding
  /// stays within them and the vector.
  func fault(_ message: UnsafeRawPointer, count: Int) -> String?

  /// target ← target + scale · decoded message; a scale of 1 or −1 rounds once a scalar, the addition itself.
  func add(_ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>)
}

extension Compressor {
  /// Nothing to do: a message tells everything.
  public func prepare(count: Int, key: CompressionKey) {}

  /// All bytes may be a message.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? { nil }

  /// target ← decoded message.
  public func decode(_ message: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>) {
    target.update(repeating: 0, count: count)
    add(message, count: count, scaledBy: 1, to: target)
  }
}

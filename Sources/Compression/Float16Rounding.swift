/// Every scalar as IEEE 754 binary16, rounded to the nearest, ties to even: half the bytes, eleven bits of precision.
///
/// Message: 2n bytes, scalar i at byte 2i.  Above 65,519 it becomes an infinity, below 2⁻²⁵ zero; NaN and infinities stay.
/// Cost: one pass each way.
public struct Float16Rounding: Compressor, Sendable {
  /// No options.
  public init() {}

  /// 2n.
  public func byteCount(of count: Int) -> Int { 2 * count }

  /// Rounds.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    var i = 0
    while i < count {
      message.storeBytes(of: Float16(source[i]), toByteOffset: i &* 2, as: Float16.self)
      i &+= 1
    }
  }

  /// Widens and adds.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    var i = 0
    while i < count {
      target[i] += scale * Float(message.loadUnaligned(fromByteOffset: i &* 2, as: Float16.self))
      i &+= 1
    }
  }
}

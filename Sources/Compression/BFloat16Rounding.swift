import Tensors

/// Every scalar as bfloat16, rounded to the nearest, ties to even: half the bytes, the range of Float32, eight bits of precision.
///
/// Message: 2n bytes, scalar i at byte 2i.  What rounds above the largest bfloat16 becomes an infinity; NaN and infinities
/// stay.  Cost: one pass each way.
public struct BFloat16Rounding: Compressor, Sendable {
  /// No options.
  public init() {}

  /// 2n.
  public func byteCount(of count: Int) -> Int { 2 * count }

  /// Rounds.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    Roundings.round(source, into: message.assumingMemoryBound(to: BFloat16.self), count)
  }

  /// Widens and adds.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    var i = 0
    while i < count {
      let bits = UInt32(message.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self)) &<< 16
      target[i] += scale * Float(bitPattern: bits)
      i &+= 1
    }
  }
}

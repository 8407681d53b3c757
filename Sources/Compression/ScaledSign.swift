/// The signs, times the mean magnitude: C(c) = (‖c‖₁ / n) · sign c, EF-SIGNSGD (Karimireddy, Rebjock, Stich, Jaggi, ICML 2019,
/// algorithm 2).  Meant for `ErrorFeedback`.
///
/// Message: the Float32 ‖c‖₁ / n, then `SignBits`: 4 + ⌈n / 8⌉ bytes.  The norm is summed in Float64 over blocks of 4,096
/// scalars.  A scalar that is not finite makes the mean, and with it every decoded scalar, not finite.
/// Cost: two passes to encode, one to add.
public struct ScaledSign: Compressor, Sendable {
  static let header = 4

  /// No options.
  public init() {}

  /// 4 + ⌈n / 8⌉.
  public func byteCount(of count: Int) -> Int { ScaledSign.header + SignBits.byteCount(count) }

  /// Packs the signs and their scale.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    let sums = Magnitudes.sums(source, count)
    let mean = Float((sums.positive + sums.negative) / Double(max(1, count)))
    message.storeBytes(of: mean, as: Float.self)
    SignBits.pack(source, count: count, into: message + ScaledSign.header)
  }

  /// Bits after the last sign.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    BitCodes.endsClean(message + ScaledSign.header, count: count, bits: 1) ? nil : "bits after the last sign"
  }

  /// Adds ± scale · mean.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    let unit = message.loadUnaligned(as: Float.self) * scale
    SignBits.add(message + ScaledSign.header, count: count, positive: unit, negative: -unit, to: target)
  }
}

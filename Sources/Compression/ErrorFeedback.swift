import Tensors

/// What compression left out, kept and added to the next vector: c = g + e; send C(c); e ← c − decode(C(c)) (Seide et al.,
/// Interspeech 2014; Karimireddy, Rebjock, Stich, Jaggi, ICML 2019).
///
/// Σ sent + e = Σ g, up to the rounding of the two additions a scalar and step.  What is not finite stays in e.
public struct ErrorFeedback: Sendable {
  /// e, part of a checkpoint.
  public let residual: Storage

  /// Zeros for `count` scalars.
  public init(count: Int) { residual = Storage(zeros: count) }

  /// Encodes the gradient of a range with what earlier messages left out, and keeps what this one leaves out.  `gradient` is
  /// the first scalar of the range.  Cost: that of the compressor, and one pass.
  public func encode(
    _ gradient: UnsafePointer<Float>, _ range: Range<Int>, with compressor: some Compressor, key: CompressionKey,
    into message: UnsafeMutableRawPointer
  ) {
    ErrorFeedback.encode(
      gradient, residual: residual.base + range.lowerBound, count: range.count, with: compressor, key: key,
      into: message)
  }

  /// The same with a residual that is kept elsewhere.
  public static func encode(
    _ gradient: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>, count: Int,
    with compressor: some Compressor, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    VectorMath.add(gradient, to: residual, count: count)
    compressor.encode(residual, count: count, key: key, into: message)
    compressor.add(message, count: count, scaledBy: -1, to: residual)
  }
}

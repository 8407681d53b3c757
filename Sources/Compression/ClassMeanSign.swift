/// One bit a scalar, decoded to the mean of its class, those at least 0 or those below: 1-bit SGD (Seide, Fu, Droppo, Li, Yu,
/// Interspeech 2014, section 3.3).  Meant for `ErrorFeedback`.
///
/// Message: the Float32 means of the class at least 0 and of the class below, then `SignBits`: 8 + ⌈n / 8⌉ bytes.  Means are
/// summed in Float64 over blocks of 4,096 scalars; an empty class has mean 0.  NaN counts as below 0 and makes the mean of that
/// class NaN, an infinity that of its own.  Cost: two passes to encode, one to add.
/// Deviation: the classes are those of the whole vector where the paper takes columns of a matrix.
public struct ClassMeanSign: Compressor, Sendable {
  static let header = 8

  /// No options.
  public init() {}

  /// 8 + ⌈n / 8⌉.
  public func byteCount(of count: Int) -> Int { ClassMeanSign.header + SignBits.byteCount(count) }

  /// Packs the classes and their means.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    let bits = message + ClassMeanSign.header
    SignBits.pack(source, count: count, into: bits)
    let positives = SignBits.positives(bits, count: count)
    let sums = Magnitudes.sums(source, count)
    let positive = Float(sums.positive / Double(max(1, positives)))
    let negative = -Float(sums.negative / Double(max(1, count - positives)))
    message.storeBytes(of: positive, as: Float.self)
    message.storeBytes(of: negative, toByteOffset: 4, as: Float.self)
  }

  /// Bits after the last sign.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    BitCodes.endsClean(message + ClassMeanSign.header, count: count, bits: 1) ? nil : "bits after the last sign"
  }

  /// Adds scale · the mean of the class.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    SignBits.add(
      message + ClassMeanSign.header, count: count, positive: scale * message.loadUnaligned(as: Float.self),
      negative: scale * message.loadUnaligned(fromByteOffset: 4, as: Float.self), to: target)
  }
}

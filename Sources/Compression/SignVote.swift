/// The sign of every scalar, and the majority of such messages: signSGD with majority vote (Bernstein, Wang, Azizzadenesheli,
/// Anandkumar, ICML 2018, algorithm 3).
///
/// Message: a Float32, 1 or NaN, then `SignBits`: 4 + ⌈n / 8⌉ bytes.  Decodes to ±1; a scalar that is not finite makes the
/// Float32 NaN, and with it every decoded scalar, of the majority as well.  Cost: two passes to encode, one to add.
/// Deviations: sign 0 is +1 where the paper has 0, a tie is +1, and the Float32 is ours.
public struct SignVote: Compressor, Sendable {
  static let header = 4

  /// No options.
  public init() {}

  /// 4 + ⌈n / 8⌉.
  public func byteCount(of count: Int) -> Int { SignVote.header + SignBits.byteCount(count) }

  /// Packs the signs.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    message.storeBytes(of: Magnitudes.areFinite(source, count) ? 1 : .nan, as: Float.self)
    SignBits.pack(source, count: count, into: message + SignVote.header)
  }

  /// Adds ± scale.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    let unit = message.loadUnaligned(as: Float.self) * scale
    SignBits.add(message + SignVote.header, count: count, positive: unit, negative: -unit, to: target)
  }

  /// The message of the majority of `voters` messages, the first at `messages`, each `stride` bytes after the one before.
  public func majority(
    of messages: UnsafeRawPointer, stride: Int, voters: Int, count: Int, into message: UnsafeMutableRawPointer
  ) {
    var unit: Float = 1
    for voter in 0..<voters { unit *= messages.loadUnaligned(fromByteOffset: voter * stride, as: Float.self) }
    message.storeBytes(of: unit, as: Float.self)
    SignBits.majority(
      of: messages + SignVote.header, stride: stride, voters: voters, count: count, into: message + SignVote.header)
  }
}

import Tensors

/// Every scalar as −s, 0 or +s (Wen, Xu, Yan, Wu, Wang, Chen, Li, NeurIPS 2017, equations 1–4 and 9): g is clipped to ±2.5 σ,
/// s = max |g|, and sign g · s is sent with probability |g| / s.  The expectation over keys is the clipped vector, to the 2⁻²⁴ of
/// a random number.
///
/// Message: the Float32 s, then a code of 2 bits a scalar, 0 for −s, 1 for 0, 2 for +s, by `BitPacking`: 4 + ⌈n / 4⌉ bytes.
/// A scalar that is not finite makes s NaN, and with it every decoded scalar.
/// Cost: three passes and n random words to encode, one pass to add.
/// Deviations: σ is the root of the mean square, without taking the mean off, so that constant vectors are not clipped away; a
/// vector here is what is encoded at once, the paper's are layers.
public struct TernGrad: Compressor, Sendable {
  static let header = 4

  /// How many σ a scalar may be; infinity does not clip.
  public let clip: Float

  /// Clips to 2.5 σ unless told otherwise.
  public init(clip: Float = 2.5) {
    precondition(clip > 0, "TernGrad clips to \(clip) σ")
    self.clip = clip
  }

  /// 4 + ⌈n / 4⌉.
  public func byteCount(of count: Int) -> Int { TernGrad.header + BitPacking.byteCount(count, bits: 2) }

  /// The largest magnitude after clipping, s; NaN if a scalar is not finite.
  public func scaler(of source: UnsafePointer<Float>, count: Int) -> Float {
    let largest = Magnitudes.largest(source, count)
    guard largest.isFinite else { return .nan }
    let deviation = Float((Reductions.squares(source, count) / Double(max(1, count))).squareRoot())
    return clip.isFinite ? min(largest, clip * deviation) : largest
  }

  /// Encodes with a scaler of its own.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    let scaler = scaler(of: source, count: count)
    encode(source, count: count, limit: scaler, scaler: scaler, key: key, into: message)
  }

  /// Encodes with a scaler that workers share (section 3.2): `limit` is the worker's own `scaler(of:count:)`, to which it
  /// clips, and `scaler` the largest of all workers, NaN if any is.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, limit: Float, scaler: Float, key: CompressionKey,
    into message: UnsafeMutableRawPointer
  ) {
    message.storeBytes(of: scaler, as: Float.self)
    let random = RandomWords(key)
    Chunks.withScratch { words, codes in
      var first = 0
      while first < count {
        let size = min(RandomWords.chunk, count - first)
        random.fill(words, chunk: first / RandomWords.chunk)
        TernGrad.ternarise(source + first, words, limit, scaler, into: codes, size)
        BitPacking.pack(codes, count: size, bits: 2, into: message + TernGrad.header + first / 4)
        first += size
      }
    }
  }

  /// Writes sign + 1 with probability |g| / s, else 1; where that is not a number, 1.
  @inline(never)
  private static func ternarise(
    _ source: UnsafePointer<Float>, _ words: UnsafePointer<UInt32>, _ limit: Float, _ scaler: Float,
    into codes: UnsafeMutablePointer<UInt8>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let x = source[i]
      let magnitude = abs(x) > limit ? limit : abs(x)
      let isSent = RandomWords.uniform(words[i]) < magnitude / scaler
      let sign: UInt8 = x < 0 ? 0 : 2
      codes[i] = isSent ? sign : 1
      i &+= 1
    }
  }

  /// A code that stands for nothing, or bits after the last.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    let codes = message + TernGrad.header
    if !BitCodes.endsClean(codes, count: count, bits: 2) { return "bits after the last code" }
    return BitCodes.largest(codes, count: count, bits: 2) > 2 ? "a code that stands for nothing" : nil
  }

  /// Adds scale · s · sign.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    let unit = scale * message.loadUnaligned(as: Float.self)
    Chunks.withScratch { _, codes in
      var first = 0
      while first < count {
        let size = min(RandomWords.chunk, count - first)
        BitPacking.unpack(message + TernGrad.header + first / 4, count: size, bits: 2, into: codes)
        Chunks.add(codes, zero: 1, unit: unit, to: target + first, size)
        first += size
      }
    }
  }
}

import Tensors

/// Stochastic rounding to s levels of each bucket's norm (Alistarh, Grubic, Li, Tomioka, Vojnovic, NeurIPS 2017, section 3.1):
/// l = s |v| / ‖v‖, rounded to ⌊l⌋ + Bernoulli(l − ⌊l⌋), decoded to ‖v‖ · sign v · level / s.  The expectation over keys is the
/// vector, to the 2⁻²⁴ of a random number and the rounding of Float32.
///
/// Message: a Float32 norm for each bucket of B scalars, then a code level · sign + s for each scalar in b = ⌈log₂(2s + 1)⌉ bits
/// by `BitPacking`: 4 ⌈n / B⌉ + ⌈b n / 8⌉ bytes; s = 1 takes 2 bits, 7 takes 4, 127 takes 8.  A bucket with a scalar that is not
/// finite, or a norm above the largest Float32, decodes to NaN throughout.
/// Cost: two passes and n random words to encode, one pass to add.
/// Deviations: no Elias coding, so that the size is fixed; the maximum norm of the authors' experiments is an option.
public struct QSGD: Compressor, Sendable {
  /// What a bucket is divided by.
  public enum Norm: String, CaseIterable, Sendable {
    /// √Σv², in Float64 over blocks of 4,096 scalars, rounded to Float32.
    case euclidean
    /// max |v|.
    case maximum
  }

  /// s.
  public let levels: Int
  /// B.
  public let bucket: Int
  /// What a bucket is divided by.
  public let norm: Norm
  /// b.
  public let bits: Int

  /// `levels` from 1 to 127; `bucket` a multiple of 256.
  public init(levels: Int = 127, bucket: Int = 512, norm: Norm = .euclidean) {
    precondition(1...127 ~= levels, "QSGD with \(levels) levels")
    precondition(bucket > 0 && bucket % RandomWords.chunk == 0, "QSGD with buckets of \(bucket)")
    self.levels = levels
    self.bucket = bucket
    self.norm = norm
    bits = Int.bitWidth - (2 * levels).leadingZeroBitCount
  }

  private func headerSize(_ count: Int) -> Int { 4 * ((count + bucket - 1) / bucket) }

  /// 4 ⌈n / B⌉ + ⌈b n / 8⌉.
  public func byteCount(of count: Int) -> Int {
    headerSize(count) + BitPacking.byteCount(count, bits: bits)
  }

  private func norm(_ source: UnsafePointer<Float>, _ count: Int) -> Float {
    switch norm {
    case .euclidean: Float(Reductions.squares(source, count).squareRoot())
    case .maximum: Magnitudes.largest(source, count)
    }
  }

  /// Rounds by the key.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    let random = RandomWords(key)
    let codes = message + headerSize(count)
    Chunks.withScratch { words, scratch in
      var norm: Float = 0
      var first = 0
      while first < count {
        if first % bucket == 0 {
          norm = self.norm(source + first, min(bucket, count - first))
          message.storeBytes(of: norm, toByteOffset: first / bucket * 4, as: Float.self)
        }
        let size = min(RandomWords.chunk, count - first)
        random.fill(words, chunk: first / RandomWords.chunk)
        QSGD.quantise(source + first, words, norm, Float(levels), into: scratch, size)
        BitPacking.pack(scratch, count: size, bits: bits, into: codes + first / 8 * bits)
        first += size
      }
    }
  }

  /// Writes sign · level + s.  The norm may be rounded to below |v|, hence the bound.
  @inline(never)
  private static func quantise(
    _ source: UnsafePointer<Float>, _ words: UnsafePointer<UInt32>, _ norm: Float, _ levels: Float,
    into codes: UnsafeMutablePointer<UInt8>, _ count: Int
  ) {
    guard norm > 0 && norm.isFinite else {
      return codes.update(repeating: UInt8(levels), count: count)
    }
    var i = 0
    while i < count {
      let x = source[i]
      let scaled = abs(x) / norm * levels
      let bounded = scaled > levels ? levels : scaled
      let floor = bounded.rounded(.down)
      let level = floor + (RandomWords.uniform(words[i]) < bounded - floor ? 1 : 0)
      let code = (x < 0 ? -level : level) + levels
      // Added to 2²³, a small whole number stands in the lowest bits.
      codes[i] = UInt8(truncatingIfNeeded: (code + 0x1p23).bitPattern)
      i &+= 1
    }
  }

  /// A level above the highest, or bits after the last code.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    let codes = message + headerSize(count)
    if !BitCodes.endsClean(codes, count: count, bits: bits) { return "bits after the last code" }
    return BitCodes.largest(codes, count: count, bits: bits) > 2 * levels ? "a level above \(levels)" : nil
  }

  /// Adds scale · norm / s · level.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    let codes = message + headerSize(count)
    Chunks.withScratch { _, scratch in
      var first = 0
      while first < count {
        let size = min(RandomWords.chunk, count - first)
        let norm = message.loadUnaligned(fromByteOffset: first / bucket * 4, as: Float.self)
        BitPacking.unpack(codes + first / 8 * bits, count: size, bits: bits, into: scratch)
        Chunks.add(scratch, zero: Float(levels), unit: scale * (norm / Float(levels)), to: target + first, size)
        first += size
      }
    }
  }
}

import Tensors

/// About the k = max(1, ⌊ratio · n⌋) scalars of largest magnitude, above a threshold that a sample estimates: deep gradient
/// compression (Lin, Han, Mao, Wang, Dally, ICLR 2018, section 3.1 and the authors' code).
///
/// The sample is every s-th scalar, s odd, from a place that the key decides; it holds at least 1 % of the scalars and 2/ratio.
/// Of its m magnitudes the ⌈ratio · m⌉-th largest is the threshold, which is multiplied by 1.3 while more than 1.3 k scalars reach it and by
/// 0.8 while fewer than 0.8 k do, at most ten times.  Then the first k in order of index that reach it are sent.
/// Message: `SparseMessage` of k pairs, 8k bytes, padded where fewer reach the threshold.
/// Where no threshold fits, the sample would be everything, or a scalar is not finite, the message is that of `TopK`, so that
/// what is not finite is sent first.  Cost: two passes and one an adjustment to encode, k scattered additions to add.
/// Deviations: what reaches the threshold beyond k is cut, as in the authors' code, and not sent; sizes do not vary.
public final class SampledTopK: Compressor {
  /// Share of the scalars that is sent at most.
  public let ratio: Double
  private let sample: Storage
  private let selection = RadixSelection()
  private let exact: TopK

  /// Accepted shares of k, which are also the factors of an adjustment.
  private static let bounds = (lower: Float(0.8), upper: Float(1.3))
  private static let adjustments = 10

  /// `ratio` is above 0 and at most 1; `capacity` is the most scalars that are ever encoded at once.
  public init(ratio: Double, capacity: Int) {
    exact = TopK(ratio: ratio)
    self.ratio = ratio
    sample = Storage(zeros: SampledTopK.sampleSize(capacity, ratio) * 2 + 1)
  }

  private static func sampleSize(_ count: Int, _ ratio: Double) -> Int {
    max((count + 99) / 100, Int((2 / ratio).rounded(.up)))
  }

  /// 8 max(1, ⌊ratio · n⌋).
  public func byteCount(of count: Int) -> Int { exact.byteCount(of: count) }

  /// Writes scalars that reach the estimated threshold, in order of index.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    guard let threshold = threshold(source, count, key) else {
      return exact.encode(source, count: count, key: key, into: message)
    }
    SparseMessage.write(
      source, count: count, above: threshold.bitPattern, ties: count, pairs: exact.pairs(of: count), into: message)
  }

  /// A threshold that 0.8 k to 1.3 k scalars reach, if the sample led to one.
  func threshold(_ source: UnsafePointer<Float>, _ count: Int, _ key: CompressionKey) -> Float? {
    let stride = (count / SampledTopK.sampleSize(count, ratio) - 1) | 1
    guard stride > 1, Magnitudes.areFinite(source, count) else { return nil }
    var stream = RandomStream(
      seed: key.seed, .compression, epoch: key.step, sample: key.worker, layer: key.bucket)
    let start = stream.below(stride)
    let size = (count - start + stride - 1) / stride
    precondition(size <= sample.count, "a sample of \(size) scalars where \(sample.count) were foreseen")
    for i in 0..<size { sample.base[i] = source[start + i * stride] }
    let rank = min(size, Int((ratio * Double(size)).rounded(.up)))
    var threshold = Float(bitPattern: selection.select(sample.base, count: size, rank: rank).threshold)

    let pairs = Float(exact.pairs(of: count))
    for _ in 0...SampledTopK.adjustments {
      let reached = Float(SampledTopK.countReaching(threshold, source, count))
      if reached > SampledTopK.bounds.upper * pairs {
        threshold *= SampledTopK.bounds.upper
      } else if reached < SampledTopK.bounds.lower * pairs {
        threshold *= SampledTopK.bounds.lower
      } else {
        return threshold
      }
    }
    return nil
  }

  @inline(never)
  private static func countReaching(_ threshold: Float, _ source: UnsafePointer<Float>, _ count: Int) -> Int {
    let bits = threshold.bitPattern
    var reached: UInt32 = 0
    var i = 0
    while i < count {
      reached &+= source[i].bitPattern & 0x7FFF_FFFF >= bits ? 1 : 0
      i &+= 1
    }
    return Int(reached)
  }

  /// Indices that do not ascend, or that no scalar has.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    exact.fault(message, count: count)
  }

  /// Adds scale · the scalars that were sent.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    exact.add(message, count: count, scaledBy: scale, to: target)
  }
}

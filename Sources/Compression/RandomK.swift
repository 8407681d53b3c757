/// k = max(1, ⌊ratio · n⌋) scalars at random places, the same for all workers, so that messages can be added as vectors of
/// Float32 (Wangni, Wang, Liu, Zhang, NeurIPS 2018; Stich, Cordonnier, Jaggi, NeurIPS 2018).
///
/// Message: the k values in ascending order of place, 4k bytes; places are not sent.  The unbiased form multiplies by n/k; with
/// `ErrorFeedback`, take the plain one.  If any scalar is not finite, sent or not, the first value is NaN.
/// Cost: about k draws and one pass to encode, k scattered additions to add.
///
/// The object remembers the places of its latest draw, which are those of `add`: one object a bucket.
public final class RandomK: Compressor {
  /// Share of the scalars that is sent.
  public let ratio: Double
  /// Whether values are multiplied by n/k, so that the expectation over keys is the vector.
  public let isUnbiased: Bool
  private let subset: RandomSubset

  /// `ratio` is above 0 and at most 1; `capacity` is the most scalars that are ever encoded at once.
  public init(ratio: Double, capacity: Int, isUnbiased: Bool = false) {
    precondition(ratio > 0 && ratio <= 1, "random-k with ratio \(ratio)")
    self.ratio = ratio
    self.isUnbiased = isUnbiased
    subset = RandomSubset(capacity: capacity, indices: SparseMessage.pairs(ratio, of: capacity))
  }

  /// 4 max(1, ⌊ratio · n⌋).
  public func byteCount(of count: Int) -> Int { 4 * SparseMessage.pairs(ratio, of: count) }

  /// Decides the places, for whoever decodes without having encoded.
  public func prepare(count: Int, key: CompressionKey) { draw(count: count, key: key) }

  /// Decides the places.
  public func draw(count: Int, key: CompressionKey) {
    subset.draw(SparseMessage.pairs(ratio, of: count), of: count, key: key)
  }

  /// Draws the places and writes their scalars.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    draw(count: count, key: key)
    let scale = isUnbiased && count > 0 ? Float(Double(count) / Double(subset.count)) : 1
    subset.gather(source, scaledBy: scale, into: message)
    if !Magnitudes.areFinite(source, count) { message.storeBytes(of: .nan, as: Float.self) }
  }

  /// Adds scale · values, of one message or of a sum of messages, at the places of the latest draw.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    precondition(subset.count == SparseMessage.pairs(ratio, of: count), "the places of \(count) scalars are not drawn")
    subset.scatter(message, scaledBy: scale, addingTo: target)
  }
}

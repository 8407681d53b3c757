/// The k scalars of largest magnitude (Aji, Heafield, EMNLP 2017; Stich, Cordonnier, Jaggi, NeurIPS 2018), exactly
/// k = max(1, ⌊ratio · n⌋), ties by lower index.  Meant for `ErrorFeedback`.
///
/// Message: `SparseMessage`, 8k bytes.  NaN counts as larger than infinity and that as larger than all numbers, so that what is
/// not finite is sent first.  Cost: four passes to encode, k scattered additions to add.
public final class TopK: Compressor {
  /// Share of the scalars that is sent.
  public let ratio: Double
  private let selection = RadixSelection()

  /// `ratio` is above 0 and at most 1.
  public init(ratio: Double) {
    precondition(ratio > 0 && ratio <= 1, "top-k with ratio \(ratio)")
    self.ratio = ratio
  }

  /// How many scalars are sent.
  public func pairs(of count: Int) -> Int { SparseMessage.pairs(ratio, of: count) }

  /// 8 max(1, ⌊ratio · n⌋).
  public func byteCount(of count: Int) -> Int { SparseMessage.byteCount(pairs: pairs(of: count)) }

  /// Writes the largest scalars in order of index.
  public func encode(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into message: UnsafeMutableRawPointer
  ) {
    if count == 0 { return }
    let pairs = pairs(of: count)
    let (threshold, ties) = selection.select(source, count: count, rank: pairs)
    SparseMessage.write(source, count: count, above: threshold, ties: ties, pairs: pairs, into: message)
  }

  /// Indices that do not ascend, or that no scalar has.
  public func fault(_ message: UnsafeRawPointer, count: Int) -> String? {
    SparseMessage.fault(message, pairs: pairs(of: count), count: count)
  }

  /// Adds scale · the scalars that were sent.
  public func add(
    _ message: UnsafeRawPointer, count: Int, scaledBy scale: Float, to target: UnsafeMutablePointer<Float>
  ) {
    SparseMessage.add(message, pairs: pairs(of: count), count: count, scaledBy: scale, to: target)
  }
}

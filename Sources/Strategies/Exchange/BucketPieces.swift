import Tensors

/// What the message of a bucket is made of: one piece a parameter, so that nothing depends on where buckets are cut.
public struct BucketPieces: Sendable {
  /// A parameter and its place in the message of its bucket.
  public struct Piece: Sendable {
    /// Its number.
    public let parameter: Int
    /// Its scalars.
    public let range: Range<Int>
    /// Bytes of the message before it.
    public let offset: Int
  }

  /// By bucket, in the order of the parameters.
  public let pieces: [[Piece]]
  /// Bytes of a shard's message, by bucket.
  public let byteCounts: [Int]

  /// Pieces of the sizes that a compressor gives them.
  public init(_ plan: ExchangePlan, byteCount: (_ scalars: Int) -> Int) {
    var byteCounts: [Int] = []
    pieces = plan.buckets.indices.map { bucket in
      let gradients = plan.gradients(ofBucket: bucket)
      var end = 0
      let inside = plan.layout.parameters.enumerated().compactMap { number, parameter -> Piece? in
        guard gradients.contains(parameter.range.lowerBound), !parameter.range.isEmpty else { return nil }
        defer { end += byteCount(parameter.range.count) }
        return Piece(parameter: number, range: parameter.range, offset: end)
      }
      byteCounts.append(end)
      return inside
    }
    self.byteCounts = byteCounts
  }

  /// Scalars of the largest piece.
  public var largest: Int { pieces.joined().map(\.range.count).max() ?? 0 }
}

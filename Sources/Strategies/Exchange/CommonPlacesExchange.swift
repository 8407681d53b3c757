import Communication
import Compression
import Tensors

/// Gradients at random places of every parameter, the same for all shards, so that short vectors are summed in the
/// order of the tree; elsewhere the result is 0.
///
/// Sends 4(h(k − kᵣ) + (p − 1)kᵣ) bytes a bucket of k places, kᵣ of them owned, with h shards held by the rank.
public final class CommonPlacesExchange: BucketExchange {
  private let plan: ExchangePlan
  private let memories: [any WorkerMemory]
  private let parts: BucketPieces
  /// One for each piece of each bucket: it remembers its places.
  private let codes: [[RandomK]]
  private let values: ShardVectors

  /// A share of every parameter; `memories` are those of this rank's shards, in order.  Collective.
  public init(
    _ plan: ExchangePlan, ratio: Double, isUnbiased: Bool, _ memories: [any WorkerMemory]
  ) throws(CommunicationError) {
    self.plan = plan
    self.memories = memories
    let parts = BucketPieces(plan) { 4 * SparseMessage.pairs(ratio, of: $0) }
    codes = parts.pieces.map {
      $0.map { RandomK(ratio: ratio, capacity: $0.range.count, isUnbiased: isUnbiased) }
    }
    values = try ShardVectors(plan, counts: parts.byteCounts.map { $0 / 4 })
    self.parts = parts
  }

  /// Picks the values and starts their sum.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    for (code, piece) in zip(codes[bucket], parts.pieces[bucket]) {
      let key = CompressionKey(seed: plan.seed, step: step, bucket: piece.parameter)
      for index in blocks.indices {
        memories[index].encode(
          blocks[index].base + piece.range.lowerBound, piece.range, with: code, key: key,
          into: UnsafeMutableRawPointer(values.vector(index, bucket: bucket)) + piece.offset)
      }
    }
    try values.sum.start(bucket, values.blocks)
  }

  /// Waits, and puts the sums where they belong.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try values.sum.finish(bucket)
    let message = UnsafeRawPointer(values.vector(0, bucket: bucket))
    for (code, piece) in zip(codes[bucket], parts.pieces[bucket]) {
      code.decode(message + piece.offset, count: piece.range.count, into: blocks[0].base + piece.range.lowerBound)
    }
  }

  /// Moves the sums along.
  public func poll() throws(CommunicationError) { try values.sum.poll() }

  /// What the shards remember.
  public var memory: [StrategyMemory] { plan.named(memories) }

  /// The bytes of the sums.
  public func bytesSent(step: Int) -> Int { values.sum.bytesSent }
}

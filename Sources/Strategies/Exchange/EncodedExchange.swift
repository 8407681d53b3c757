import Communication
import Compression
import Tensors

/// Every shard's gradient, encoded parameter by parameter with what the shard remembers, goes to all ranks; each
/// decodes the messages of all shards and adds them in the order of shards.
///
/// Sends b·h·(p − 1) bytes for h shards held by the rank and messages of b bytes in all.  Computes on every rank S·n
/// additions, or those of S messages where they are sparse.
public final class EncodedExchange<Code: Compressor>: BucketExchange {
  private let plan: ExchangePlan
  private let shards: Range<Int>
  private let code: Code
  private let memories: [any WorkerMemory]
  private let parts: BucketPieces
  private let messages: ShardMessages

  /// Messages of one compressor; `memories` are those of this rank's shards, in order.  Collective.
  public init(_ plan: ExchangePlan, _ code: Code, _ memories: [any WorkerMemory]) throws(CommunicationError) {
    self.plan = plan
    self.code = code
    self.memories = memories
    shards = plan.shards
    parts = BucketPieces(plan, byteCount: code.byteCount)
    messages = try ShardMessages(plan, byteCounts: parts.byteCounts)
  }

  /// All shards' messages, and blocks of what each of this rank's shards remembers.
  static func bytes(_ share: RankShare, _ code: Code, blocks: Int) -> StrategyBytes {
    let message = share.layout.parameters.reduce(0) { $0 + code.byteCount(of: $1.range.count) }
    return StrategyBytes(
      remembered: blocks * share.shards.count * share.weightBytes, working: message * share.tree.shards)
  }

  /// Encodes and sends.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    for (index, shard) in shards.enumerated() {
      let message = messages.message(bucket: bucket, shard: shard)
      for piece in parts.pieces[bucket] {
        memories[index].encode(
          blocks[index].base + piece.range.lowerBound, piece.range, with: code,
          key: CompressionKey(seed: plan.seed, step: step, worker: shard, bucket: piece.parameter),
          into: message + piece.offset)
      }
    }
    try messages.start(bucket: bucket)
  }

  /// Waits and decodes.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try messages.finish(bucket: bucket)
    messages.decode(parts.pieces[bucket], bucket: bucket, of: plan.tree.shards, with: code, into: blocks[0])
  }

  /// Moves the messages along.
  public func poll() throws(CommunicationError) { try messages.poll() }

  /// What the shards remember.
  public var memory: [StrategyMemory] { plan.named(memories) }

  /// The bytes of the messages.
  public func bytesSent(step: Int) -> Int { messages.bytesSent }
}

extension ShardMessages {
  /// Writes the sum of what the first `shards` shards say about the pieces of a bucket, added in the order of shards.
  func decode(
    _ pieces: [BucketPieces.Piece], bucket: Int, of shards: Int, with code: some Compressor, into block: Storage
  ) {
    for piece in pieces {
      let (target, count) = (block.base + piece.range.lowerBound, piece.range.count)
      target.update(repeating: 0, count: count)
      for shard in 0..<shards {
        code.add(message(bucket: bucket, shard: shard) + piece.offset, count: count, scaledBy: 1, to: target)
      }
    }
  }
}

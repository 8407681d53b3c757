import Communication
import Compression
import Tensors

/// Ternary gradients with one scaler a parameter for all shards: the shards' own scalers are exchanged first, and each
/// shard encodes with the largest; all ranks decode the messages of all shards and add them in the order of shards.
///
/// Sends (4 + b)·h·(p − 1) bytes a parameter, for h shards held by the rank and messages of b bytes.
public final class SharedScalerExchange: BucketExchange {
  private let plan: ExchangePlan
  private let shards: Range<Int>
  private let code: TernGrad
  private let parts: BucketPieces
  private let scalers: ShardMessages
  private let messages: ShardMessages

  /// Messages of one compressor.  Collective.
  public init(_ plan: ExchangePlan, _ code: TernGrad) throws(CommunicationError) {
    self.plan = plan
    self.code = code
    shards = plan.shards
    parts = BucketPieces(plan, byteCount: code.byteCount)
    scalers = try ShardMessages(plan, byteCounts: parts.pieces.map { 4 * $0.count })
    messages = try ShardMessages(plan, byteCounts: parts.byteCounts)
  }

  /// Sends the scalers.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    for (block, shard) in zip(blocks, shards) {
      let message = scalers.message(bucket: bucket, shard: shard)
      for (index, piece) in parts.pieces[bucket].enumerated() {
        let scaler = code.scaler(of: block.base + piece.range.lowerBound, count: piece.range.count)
        message.storeBytes(of: scaler, toByteOffset: 4 * index, as: Float.self)
      }
    }
    try scalers.start(bucket: bucket)
  }

  /// Encodes with the largest scaler and sends.
  public func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try scalers.finish(bucket: bucket)
    for (index, piece) in parts.pieces[bucket].enumerated() {
      var largest: Float = 0
      for shard in 0..<plan.tree.shards {
        let scaler = scaler(bucket, shard, index)
        largest = largest.isNaN || scaler.isNaN ? .nan : max(largest, scaler)
      }
      for (block, shard) in zip(blocks, shards) {
        code.encode(
          block.base + piece.range.lowerBound, count: piece.range.count, limit: scaler(bucket, shard, index),
          scaler: largest,
          key: CompressionKey(seed: plan.seed, step: step, worker: shard, bucket: piece.parameter),
          into: messages.message(bucket: bucket, shard: shard) + piece.offset)
      }
    }
    try messages.start(bucket: bucket)
  }

  private func scaler(_ bucket: Int, _ shard: Int, _ index: Int) -> Float {
    scalers.message(bucket: bucket, shard: shard).loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
  }

  /// Waits and decodes.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try messages.finish(bucket: bucket)
    messages.decode(parts.pieces[bucket], bucket: bucket, of: plan.tree.shards, with: code, into: blocks[0])
  }

  /// Moves scalers and messages along.
  public func poll() throws(CommunicationError) {
    try scalers.poll()
    try messages.poll()
  }

  /// The bytes of scalers and messages.
  public func bytesSent(step: Int) -> Int { scalers.bytesSent + messages.bytesSent }
}

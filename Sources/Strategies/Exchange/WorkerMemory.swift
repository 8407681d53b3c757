import Compression
import Tensors

/// What a worker remembers of gradients that its messages left out.
public protocol WorkerMemory {
  /// Encodes the gradient of a range, with what is remembered of that range.  `gradient` is the range's first scalar;
  /// it may be used up.
  func encode(
    _ gradient: UnsafeMutablePointer<Float>, _ range: Range<Int>, with compressor: some Compressor, key: CompressionKey,
    into message: UnsafeMutableRawPointer)
  /// The blocks that it consists of, by name.
  var blocks: [(name: String, storage: Storage)] { get }
}

/// Remembers nothing: for unbiased compressors.
public struct NoMemory: WorkerMemory {
  /// Nothing.
  public init() {}

  /// Encodes the gradient alone.
  public func encode(
    _ gradient: UnsafeMutablePointer<Float>, _ range: Range<Int>, with compressor: some Compressor, key: CompressionKey,
    into message: UnsafeMutableRawPointer
  ) {
    compressor.encode(gradient, count: range.count, key: key, into: message)
  }

  /// None.
  public var blocks: [(name: String, storage: Storage)] { [] }
}

extension ErrorFeedback: WorkerMemory {
  /// Encodes the gradient with what earlier messages left out.
  public func encode(
    _ gradient: UnsafeMutablePointer<Float>, _ range: Range<Int>, with compressor: some Compressor, key: CompressionKey,
    into message: UnsafeMutableRawPointer
  ) {
    encode(UnsafePointer(gradient), range, with: compressor, key: key, into: message)
  }

  /// The residual.
  public var blocks: [(name: String, storage: Storage)] { [("residual", residual)] }
}

extension ExchangePlan {
  /// Names the memories of this rank's shards, in order, for checkpoints.
  func named(_ memories: [any WorkerMemory]) -> [StrategyMemory] {
    zip(shards, memories).flatMap { shard, memory in
      memory.blocks.map { StrategyMemory($0.name, of: .shard(shard), $0.storage) }
    }
  }

  /// Error feedback for each of this rank's shards.
  func errorFeedback() -> [any WorkerMemory] { shards.map { _ in ErrorFeedback(count: layout.parameterCount) } }
}

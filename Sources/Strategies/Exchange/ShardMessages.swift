import Communication

/// One message of a fixed size from every shard to every rank, bucket by bucket: how compressed gradients travel.
///
/// A rank writes the messages of its shards where they belong among all, and sends them as they lie.  Sends messages of b
/// bytes, with h shards held by the rank, as b·h·(p − 1) bytes.
public final class ShardMessages {
  /// Bytes of a shard's message, by bucket.
  public let byteCounts: [Int]
  private let communicator: any Communicator
  /// The ranks' shards.
  private let held: [Range<Int>]
  private let memory: CommunicatorMemory
  /// Where each bucket's messages start, of shard 0 and on.
  private let starts: [Int]
  private let counts: [[Int]]
  private var requests: [Request?]

  /// Messages of the given sizes; 0 for a bucket that sends none.  Collective.
  public init(_ plan: ExchangePlan, byteCounts: [Int]) throws(CommunicationError) {
    self.byteCounts = byteCounts
    communicator = plan.communicator
    let ranks = plan.communicator.size
    held = (0..<ranks).map { plan.tree.shards(of: $0, parts: ranks) }
    var end = 0
    var starts: [Int] = []
    for count in byteCounts {
      starts.append(end)
      end += (count * plan.tree.shards + 63) / 64 * 64
    }
    self.starts = starts
    counts = byteCounts.map { [held] count in held.map { $0.count * count } }
    memory = try communicator.allocate(byteCount: end)
    requests = Array(repeating: nil, count: byteCounts.count)
  }

  /// Where the message of a shard lies: to be written by the rank that holds it, and there for all once `finish` returned.
  public func message(bucket: Int, shard: Int) -> UnsafeMutableRawPointer {
    memory.base + starts[bucket] + shard * byteCounts[bucket]
  }

  /// Starts sending the messages of a bucket; buckets are started in the same order on every rank.
  public func start(bucket: Int) throws(CommunicationError) {
    if byteCounts[bucket] == 0 { return }
    let own = held[communicator.rank]
    let bytes = (memory.base + starts[bucket]).assumingMemoryBound(to: UInt8.self)
    let all = UnsafeMutableBufferPointer(start: bytes, count: held[held.count - 1].upperBound * byteCounts[bucket])
    let mine = UnsafeBufferPointer(
      start: bytes + own.lowerBound * byteCounts[bucket], count: own.count * byteCounts[bucket])
    requests[bucket] = try communicator.startAllGather(mine, into: all, counts: counts[bucket], label: bucket)
  }

  /// Moves what was started along.
  public func poll() throws(CommunicationError) {
    for case .some(let request) in requests { return _ = try communicator.test(request) }
  }

  /// Waits for the messages of a bucket.
  public func finish(bucket: Int) throws(CommunicationError) {
    guard let request = requests[bucket] else { return }
    try communicator.wait(request)
    requests[bucket] = nil
  }

  /// Bytes that this rank sends for all buckets.
  public var bytesSent: Int {
    byteCounts.reduce(0, +) * held[communicator.rank].count * (communicator.size - 1)
  }
}

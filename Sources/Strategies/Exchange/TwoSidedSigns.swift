import Communication
import Compression
import Tensors

/// The mean of a vector that each shard has, said in signs both ways, with error feedback on both sides: the compressed
/// all-reduce of Tang et al. 2021 (algorithm 1, lines 7–11), as DeepSpeed computes it.
///
/// Every parameter is cut into as many chunks as there are shards, in whole cache lines; shard c serves chunk c.  A shard
/// says its vector as sign bits (0 counts as +1) and one scale ‖x‖₂/√n a parameter, repeated in each chunk; the server of a
/// chunk adds 1/S of what all shards said to its error, and says the result likewise, with a scale a chunk.  What was not
/// said stays in the errors.  Scalars that are masked are left out on both sides.
///
/// A message of one shard about chunk c has M_c = Σ (4 + ⌈length/8⌉) bytes over the parameters that reach into the chunk.
/// A rank with h shards, which serve M_r bytes of M = Σ M_c, sends h·(M − M_r) + (p − 1)·M_r.
public final class TwoSidedSigns {
  /// Scalars of a parameter within a chunk.
  private struct Segment {
    let parameter: Int
    let scalars: Range<Int>
    /// Where it starts in the messages about all chunks, one after the other.
    let message: Int
    /// Where it starts in the errors of its server.
    let error: Int
  }

  /// What each shard of this rank has not said yet.
  public let workerErrors: [Storage]
  /// What the server of each chunk of this rank has not said yet.
  public let serverErrors: [Storage]
  /// Bytes that this rank sends.
  public let bytesSent: Int
  private let communicator: any Communicator
  private let parameters: [Range<Int>]
  /// By chunk.
  private let segments: [[Segment]]
  private let chunks: Range<Int>
  private let shards: Int
  /// Bytes about the chunks of each rank, and where they start among all.
  private let bytes: [Int]
  private let starts: [Int]
  private let sendCounts: [Int]
  private let receiveCounts: [Int]
  private let outgoing: CommunicatorMemory
  private let incoming: CommunicatorMemory
  private let answer: CommunicatorMemory

  /// Makes room.  Collective.
  public init(_ plan: ExchangePlan) throws(CommunicationError) {
    let communicator = plan.communicator
    let (rank, ranks, shards) = (communicator.rank, communicator.size, plan.tree.shards)
    self.communicator = communicator
    self.shards = shards
    parameters = plan.layout.parameters.map(\.range)
    var end = 0
    var chunkBytes: [Int] = []
    var errorCounts: [Int] = []
    var segments: [[Segment]] = []
    for chunk in 0..<shards {
      let start = end
      var error = 0
      var inside: [Segment] = []
      for (index, range) in parameters.enumerated() {
        let lines = Parts.lines(range.count, over: shards)
        let count = lines.count(of: chunk)
        if count == 0 { continue }
        let first = range.lowerBound + lines.offset(of: chunk)
        inside.append(Segment(parameter: index, scalars: first..<first + count, message: end, error: error))
        end += TwoSidedSigns.header + SignBits.byteCount(count)
        error += count
      }
      segments.append(inside)
      chunkBytes.append(end - start)
      errorCounts.append(error)
    }
    self.segments = segments
    let held = (0..<ranks).map { plan.tree.shards(of: $0, parts: ranks) }
    chunks = held[rank]
    let bytes = held.map { $0.reduce(0) { $0 + chunkBytes[$1] } }
    self.bytes = bytes
    starts = held.map { chunkBytes[..<$0.lowerBound].reduce(0, +) }
    workerErrors = chunks.map { _ in Storage(zeros: plan.layout.parameterCount) }
    serverErrors = chunks.map { Storage(zeros: errorCounts[$0]) }
    sendCounts = bytes.map { held[rank].count * $0 }
    receiveCounts = held.map { $0.count * bytes[rank] }
    outgoing = try communicator.allocate(byteCount: held[rank].count * end)
    incoming = try communicator.allocate(byteCount: shards * bytes[rank])
    answer = try communicator.allocate(byteCount: end)
    bytesSent = held[rank].count * (end - bytes[rank]) + (ranks - 1) * bytes[rank]
  }

  private static let header = 4

  /// The errors, as a strategy remembers them.
  public var memory: [StrategyMemory] {
    zip(chunks, workerErrors).map { StrategyMemory("worker-error", of: .shard($0), $1) }
      + zip(chunks, serverErrors).map { StrategyMemory("server-error", of: .shard($0), $1) }
  }

  /// Writes the mean of what lies in all `workerErrors`, with the servers' errors, as it is said to everybody; scalars are
  /// left out where `mask` is zero.  Collective.
  public func mean(into target: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>) throws(CommunicationError) {
    for index in workerErrors.indices { say(index, mask) }
    try communicator.allToAll(
      buffer(outgoing, workerErrors.count * (starts[bytes.count - 1] + bytes[bytes.count - 1])),
      sendCounts: sendCounts, into: mutable(incoming, shards * bytes[communicator.rank]), receiveCounts: receiveCounts)
    for (index, chunk) in chunks.enumerated() { serve(chunk, serverErrors[index].base, mask) }
    let total = starts[bytes.count - 1] + bytes[bytes.count - 1]
    let own = starts[communicator.rank]
    try communicator.allGather(
      UnsafeBufferPointer(rebasing: buffer(answer, total)[own..<own + bytes[communicator.rank]]),
      into: mutable(answer, total), counts: bytes)
    for segment in segments.joined() {
      let (scalars, count) = (target + segment.scalars.lowerBound, segment.scalars.count)
      scalars.update(repeating: 0, count: count)
      add(answer.base + segment.message, 1, to: scalars, count)
      TwoSidedSigns.mask(scalars, mask + segment.scalars.lowerBound, count)
    }
  }

  /// Writes the messages of one of this rank's shards.
  private func say(_ index: Int, _ mask: UnsafePointer<Float>) {
    let vector = workerErrors[index].base
    let scales = parameters.map { range in
      TwoSidedSigns.mask(vector + range.lowerBound, mask + range.lowerBound, range.count)
      return TwoSidedSigns.scale(vector + range.lowerBound, range.count)
    }
    for rank in bytes.indices {
      let place = workerErrors.count * starts[rank] + index * bytes[rank] - starts[rank]
      for chunk in heldChunks(rank) {
        for segment in segments[chunk] {
          write(
            vector + segment.scalars.lowerBound, segment.scalars.count, scales[segment.parameter],
            outgoing.base + place + segment.message)
        }
      }
    }
  }

  private func heldChunks(_ rank: Int) -> Range<Int> {
    ShardTree(shards: shards).shards(of: rank, parts: bytes.count)
  }

  /// Writes the answer about a chunk.
  private func serve(_ chunk: Int, _ errors: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>) {
    let rank = communicator.rank
    for segment in segments[chunk] {
      let (sum, count) = (errors + segment.error, segment.scalars.count)
      for shard in 0..<shards {
        let message = incoming.base + shard * bytes[rank] + (segment.message - starts[rank])
        add(message, 1 / Float(shards), to: sum, count)
      }
      TwoSidedSigns.mask(sum, mask + segment.scalars.lowerBound, count)
      write(sum, count, TwoSidedSigns.scale(sum, count), answer.base + segment.message)
    }
  }

  /// Writes scalars as a scale and signs, and leaves what they do not say.
  private func write(
    _ scalars: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float, _ message: UnsafeMutableRawPointer
  ) {
    message.storeBytes(of: scale, as: Float.self)
    SignBits.pack(scalars, count: count, into: message + TwoSidedSigns.header)
    add(message, -1, to: scalars, count)
  }

  /// Adds what a message says, times a factor.
  private func add(
    _ message: UnsafeRawPointer, _ factor: Float, to target: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    let unit = message.loadUnaligned(as: Float.self) * factor
    SignBits.add(message + TwoSidedSigns.header, count: count, positive: unit, negative: -unit, to: target)
  }

  /// ‖x‖₂/√n, summed in Float64.
  private static func scale(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    Float((Reductions.squares(x, count) / Double(max(1, count))).squareRoot())
  }

  @inline(never)
  private static func mask(_ x: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      x[i] = mask[i] == 0 ? 0 : x[i]
      i &+= 1
    }
  }

  private func buffer(_ memory: CommunicatorMemory, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(mutable(memory, count))
  }

  private func mutable(_ memory: CommunicatorMemory, _ count: Int) -> UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(start: memory.base.assumingMemoryBound(to: UInt8.self), count: count)
  }
}

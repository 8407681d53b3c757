import Communication
import Compression
import Tensors

/// Every bucket is cut into one part a rank; the shards' messages about a part go to its owner, who makes one message
/// of them and sends that to everybody.
///
/// Parts are whole cache lines of 16 scalars.  With messages of mᵣ bytes about the part of rank r, m in all, and h
/// shards held by rank r, it sends h(m − mᵣ) + (p − 1)mᵣ bytes a bucket.  Memory: h + 1 messages about all, S about the
/// own part.
public final class AnsweredExchange<Code: Compressor>: BucketExchange {
  /// Makes the answer of the messages about a part of `count` scalars, the first at `messages`, each `stride` bytes
  /// after the one before, in the order of shards.
  public typealias Answer = (
    _ messages: UnsafeRawPointer, _ stride: Int, _ count: Int, _ answer: UnsafeMutableRawPointer
  ) -> Void

  /// What gradients are multiplied by before they are encoded in a step, and what comes back afterwards.
  public typealias Scale = (_ step: Int) -> (before: Float, after: Float)

  /// A bucket's parts and its places in memory.
  private struct Course {
    let gradients: Range<Int>
    let parts: Parts
    /// Bytes of a message about each rank's part.
    let bytes: [Int]
    let sendCounts: [Int]
    let receiveCounts: [Int]
    let outgoing: UnsafeMutablePointer<UInt8>
    let incoming: UnsafeMutablePointer<UInt8>
    let answer: UnsafeMutablePointer<UInt8>
    var going: Request?
    var answering: Request?
  }

  private let plan: ExchangePlan
  private let shards: Range<Int>
  private let code: Code
  private let scale: Scale
  private let combine: Answer
  private let memories: CommunicatorMemory
  private var courses: [Course] = []

  /// Messages of one compressor, and what owners make of them.  Collective.
  public init(
    _ plan: ExchangePlan, _ code: Code, scale: @escaping Scale, answer: @escaping Answer
  ) throws(CommunicationError) {
    self.plan = plan
    self.code = code
    self.scale = scale
    combine = answer
    shards = plan.shards
    let (communicator, held) = (plan.communicator, plan.shards.count)
    let (rank, ranks) = (communicator.rank, communicator.size)
    let heldCounts = (0..<ranks).map { plan.tree.shards(of: $0, parts: ranks).count }
    let cuts = plan.buckets.indices.map { bucket in
      let parts = Parts.lines(plan.gradients(ofBucket: bucket).count, over: ranks)
      return (parts, (0..<ranks).map { code.byteCount(of: parts.count(of: $0)) })
    }
    let total = cuts.reduce(0) { $0 + ($1.1.reduce(0, +) * (held + 1) + $1.1[rank] * plan.tree.shards) }
    memories = try communicator.allocate(byteCount: total)
    var end = memories.base.assumingMemoryBound(to: UInt8.self)
    for (bucket, (parts, bytes)) in cuts.enumerated() {
      let sum = bytes.reduce(0, +)
      let (outgoing, incoming) = (end, end + sum * held)
      let answer = incoming + bytes[rank] * plan.tree.shards
      end = answer + sum
      courses.append(
        Course(
          gradients: plan.gradients(ofBucket: bucket), parts: parts, bytes: bytes, sendCounts: bytes.map { held * $0 },
          receiveCounts: heldCounts.map { $0 * bytes[rank] }, outgoing: outgoing, incoming: incoming, answer: answer))
    }
  }

  /// Messages of this rank's shards and the answers about everything, all shards' messages about its own part.
  static func bytes(_ share: RankShare, _ code: Code) -> StrategyBytes {
    let all = code.byteCount(of: share.layout.parameterCount)
    return StrategyBytes(working: all * (share.shards.count + 1) + all / share.ranks * share.tree.shards)
  }

  /// Encodes, and sends to the owners.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    let course = courses[bucket]
    if course.gradients.isEmpty { return }
    let factor = scale(step).before
    if factor != 1 {
      for block in blocks {
        VectorMath.scale(block.base + course.gradients.lowerBound, by: factor, count: course.gradients.count)
      }
    }
    var place = UnsafeMutableRawPointer(course.outgoing)
    for rank in course.bytes.indices {
      let first = course.gradients.lowerBound + course.parts.offset(of: rank)
      for (index, shard) in shards.enumerated() {
        code.encode(
          blocks[index].base + first, count: course.parts.count(of: rank),
          key: CompressionKey(seed: plan.seed, step: step, worker: shard, bucket: bucket), into: place)
        place += course.bytes[rank]
      }
    }
    courses[bucket].going = try plan.communicator.startAllToAll(
      UnsafeBufferPointer(start: course.outgoing, count: course.sendCounts.reduce(0, +)), sendCounts: course.sendCounts,
      into: UnsafeMutableBufferPointer(start: course.incoming, count: course.receiveCounts.reduce(0, +)),
      receiveCounts: course.receiveCounts, label: bucket)
  }

  /// Answers.
  public func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    guard let request = courses[bucket].going else { return }
    try plan.communicator.wait(request)
    courses[bucket].going = nil
    let (course, rank) = (courses[bucket], plan.communicator.rank)
    let own = course.answer + course.bytes[..<rank].reduce(0, +)
    combine(course.incoming, course.bytes[rank], course.parts.count(of: rank), own)
    courses[bucket].answering = try plan.communicator.startAllGather(
      UnsafeBufferPointer(start: own, count: course.bytes[rank]),
      into: UnsafeMutableBufferPointer(start: course.answer, count: course.bytes.reduce(0, +)), counts: course.bytes,
      label: bucket)
  }

  /// Decodes the answers.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    guard let request = courses[bucket].answering else { return }
    try plan.communicator.wait(request)
    courses[bucket].answering = nil
    let course = courses[bucket]
    let (target, factor) = (blocks[0].base + course.gradients.lowerBound, scale(step).after)
    target.update(repeating: 0, count: course.gradients.count)
    var answer = UnsafeRawPointer(course.answer)
    for rank in course.bytes.indices {
      code.add(
        answer, count: course.parts.count(of: rank), scaledBy: factor, to: target + course.parts.offset(of: rank))
      answer += course.bytes[rank]
    }
  }

  /// Moves what was started along.
  public func poll() throws(CommunicationError) {
    for index in courses.indices {
      if let request = courses[index].going ?? courses[index].answering {
        return _ = try plan.communicator.test(request)
      }
    }
  }

  /// The bytes of messages and answers.
  public func bytesSent(step: Int) -> Int {
    let (rank, ranks) = (plan.communicator.rank, plan.communicator.size)
    return courses.reduce(0) { sum, course in
      if course.gradients.isEmpty { return sum }
      let own = course.bytes[rank]
      return sum + shards.count * (course.bytes.reduce(0, +) - own) + (ranks - 1) * own
    }
  }
}

extension AnsweredExchange {
  /// An exchange whose owners add what the messages say in Float32, in the order of shards, and round the sum.
  /// Collective.
  static func sums(
    _ plan: ExchangePlan, rounding code: Code, scale: Float = 1
  ) throws(CommunicationError) -> AnsweredExchange {
    let shards = plan.tree.shards
    let sum = Storage(zeros: plan.buckets.map(\.count).max() ?? 0)
    // Roundings draw nothing.
    let key = CompressionKey(seed: plan.seed, step: 0)
    return try AnsweredExchange(plan, code, scale: { _ in (scale, 1 / scale) }) { messages, stride, count, answer in
      code.decode(messages, count: count, into: sum.base)
      for shard in 1..<max(1, shards) {
        code.add(messages + shard * stride, count: count, scaledBy: 1, to: sum.base)
      }
      code.encode(sum.base, count: count, key: key, into: answer)
    }
  }
}

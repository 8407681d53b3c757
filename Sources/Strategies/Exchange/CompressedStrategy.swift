import Communication
import Tensors

/// A strategy that compresses the gradient of every shard: its options, and the exchange that they make.
///
/// The tail behind the gradients is summed exactly, in the order of the tree: with h shards held by a rank that owns tᵣ
/// of its t scalars, 4(h(t − tᵣ) + (p − 1)tᵣ) bytes beside those of the exchange.
public protocol CompressedStrategy: GradientStrategy {
  /// Makes what exchanges the gradients.  Collective.
  func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange
  /// Where it stands; `prepare` sets it.
  var course: CompressedCourse? { get set }
}

/// Where a compressed strategy stands: what exchanges gradients and tail, and the step.
public final class CompressedCourse {
  fileprivate let exchange: any BucketExchange
  fileprivate let tail: TreeSum
  fileprivate let buckets: Int
  fileprivate let parameters: Range<Int>
  fileprivate var step = 0

  /// Steps of a plan by way of an exchange.
  public init(_ plan: ExchangePlan, _ exchange: any BucketExchange) {
    self.exchange = exchange
    tail = TreeSum(plan, [plan.tail], of: .shards)
    buckets = plan.buckets.count
    parameters = 0..<plan.layout.parameterCount
  }
}

extension CompressedStrategy {
  /// Every shard's gradient is compressed by itself.
  public var grain: GradientGrain { .shards }
  /// All of them.
  public var ownedParameters: Range<Int> { prepared.parameters }

  private var prepared: CompressedCourse {
    guard let course else { preconditionFailure("\(Self.name) is not prepared") }
    return course
  }

  /// Makes room for messages and memory.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    course = CompressedCourse(plan, try makeExchange(plan))
  }

  /// Keeps the step, which keys of random numbers and schedules depend on.
  public func beginStep(_ step: Int) throws(CommunicationError) { prepared.step = step }

  /// Starts the exchange of a bucket, then moves the one before it along.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    let course = prepared
    if bucket == 0 { try course.tail.start(0, blocks) }
    try course.exchange.start(bucket, step: course.step, blocks)
    if bucket > 0 { try course.exchange.turn(bucket - 1, step: course.step, blocks) }
  }

  /// Moves everything along.
  public func poll() throws(CommunicationError) {
    try prepared.tail.poll()
    try prepared.exchange.poll()
  }

  /// Waits for every bucket; the first block holds the gradients to apply and the sums of the tail.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    let course = prepared
    if course.buckets > 0 { try course.exchange.turn(course.buckets - 1, step: course.step, blocks) }
    try course.tail.finish()
    for bucket in 0..<course.buckets { try course.exchange.finish(bucket, step: course.step, blocks) }
    return blocks[0]
  }

  /// What the exchange remembers.
  public var memory: [StrategyMemory] { prepared.exchange.memory }

  /// The bytes of the exchange and of the tail.
  public func bytesSent(step: Int) -> Int? { prepared.exchange.bytesSent(step: step) + prepared.tail.bytesSent }
}

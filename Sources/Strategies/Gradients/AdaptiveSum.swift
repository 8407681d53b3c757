import Communication
import Compression
import Configuration
import Tensors

/// Adasum: combines the gradients of workers in pairs so that what two agree on counts once and what they do not share adds
/// up (Maleki et al. 2021, "Scaling distributed training with adaptive summation", equation 1), as in Horovod.
///
/// For each parameter alone: (1 − a·b / 2‖a‖²) a + (1 − a·b / 2‖b‖²) b along the tree of `ShardTree` in place of +, with
/// dots in Float64 over blocks of 4,096 scalars and a factor of 1 where a square norm is below √(smallest Float64).  With
/// one worker it is the gradient itself.  Statistics behind the gradients are added exactly.
///
/// Beyond the sources: any number of workers; their tree is that of recursive doubling where they are a power of two.  A
/// worker's gradient is its mean over samples; shards come weighted by samples, gₛ·nₛ/n, and the result of S shards is
/// multiplied by S, which is the same because the combination is homogeneous.  Where a last batch leaves shards of unequal
/// size, a worker's gradient counts S·nₛ/n times, and one without samples not at all.  It is applied to gradients, before
/// the update rule, not to the updates of a rule.
///
/// Parameters have one owner each: the rank in whose p-th of all scalars the middle of the parameter lies.  Sends per step,
/// with h shards a rank and n scalars of which it owns nᵣ, and a tail of t scalars of which it adds tᵣ ≈ t/p:
/// 4h(n − nᵣ) + 4(p − 1)nᵣ + 4h(t − tᵣ) + 4(p − 1)tᵣ bytes.  Memory: 4(S − h)nᵣ bytes.  State: none.
public final class AdaptiveSum: GradientStrategy {
  /// The name in configurations.
  public static let name = "adasum"
  /// What it does.
  public static let help = "combines gradients so that what workers agree on counts once (Adasum)"

  /// Pairs are formed of single shards.
  public let grain = GradientGrain.shards
  /// All of them.
  public private(set) var ownedParameters = 0..<0
  private var buckets: [Range<Int>] = []
  private var tail: TreeSum?
  private var delivery: PieceDelivery?
  /// All-gathers have a group of their own: ranks start them at different moments between other calls.
  private var gatherers: (any Communicator)?
  private var pairs: [(to: Int, from: Int)] = []
  /// The parameters that this rank owns, by bucket, counted from its first scalar there.
  private var layers: [[Range<Int>]] = []
  private var gathers: [Request?] = []
  private var shards = 1
  private var blocks: [Storage] = []
  /// Buckets under way, and of these the ones that were combined.
  private var started = 0
  private var combined = 0

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// The gradients of other ranks' shards of the rank's parameters.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let owned = AdaptiveSum.shares(share.layout, share.ranks)[share.rank].count
    return StrategyBytes(working: 4 * (share.tree.shards - share.shards.count) * owned)
  }

  /// Gives every parameter an owner.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    let (communicator, tree) = (plan.communicator, plan.tree)
    let (rank, ranks) = (communicator.rank, communicator.size)
    ownedParameters = 0..<plan.layout.parameterCount
    shards = tree.shards
    buckets = plan.buckets.indices.map(plan.gradients(ofBucket:))
    tail = TreeSum(plan, [plan.tail], of: grain)
    gatherers = try communicator.split(color: 0, key: rank)
    let leaves = (0..<shards).map { $0..<$0 + 1 }
    pairs = tree.additions(of: leaves, into: 0..<shards)
    let owned = AdaptiveSum.shares(plan.layout, ranks)
    delivery = PieceDelivery(
      communicator, blocks: (0..<ranks).map { tree.shards(of: $0, parts: ranks).count },
      parts: buckets.map { bucket in owned.map { $0.clamped(to: bucket) } })
    layers = buckets.map { bucket in
      let own = owned[rank].clamped(to: bucket)
      return plan.layout.parameters.map(\.range).filter { own.clamped(to: $0) == $0 && !$0.isEmpty }
        .map { $0.lowerBound - own.lowerBound..<$0.upperBound - own.lowerBound }
    }
    gathers = buckets.map { _ in nil }
  }

  /// Consecutive whole parameters for each rank.
  private static func shares(_ layout: ParameterLayout, _ ranks: Int) -> [Range<Int>] {
    let count = layout.parameterCount
    var ends = Array(repeating: 0, count: ranks)
    for range in layout.parameters.map(\.range) where !range.isEmpty {
      ends[(range.lowerBound + range.upperBound) / 2 * ranks / count] = range.upperBound
    }
    var start = 0
    return ends.map { end in
      defer { start = max(start, end) }
      return start..<max(start, end)
    }
  }

  /// Starts bringing the gradients of a bucket to their owners.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    if bucket == 0 { try tail?.start(0, blocks) }
    self.blocks = blocks
    try delivery?.start(bucket, blocks)
    started += 1
  }

  /// Moves the exchange along and combines what has arrived.
  public func poll() throws(CommunicationError) {
    guard let delivery, let gatherers else { return }
    while combined < started, try delivery.test(combined) { try combine(delivery, gatherers) }
    if combined > 0, let request = gathers[combined - 1] { _ = try gatherers.test(request) }
  }

  /// Combines this rank's part of the next bucket and starts giving it to everybody.
  private func combine(_ delivery: PieceDelivery, _ gatherers: any Communicator) throws(CommunicationError) {
    try delivery.finish(combined)
    for (to, from) in pairs {
      Adasum.combine(
        delivery.place(ofBlock: from, combined, blocks), into: delivery.place(ofBlock: to, combined, blocks),
        layers: layers[combined])
    }
    let (result, count) = (delivery.place(ofBlock: 0, combined, blocks), delivery.own(combined).count)
    AdaptiveSum.multiply(result, by: Float(shards), count)
    gathers[combined] = try gatherers.startAllGather(
      UnsafeBufferPointer(start: result, count: count),
      into: UnsafeMutableBufferPointer(rebasing: blocks[0].scalars[buckets[combined]]),
      counts: delivery.counts(combined), label: combined)
    combined += 1
  }

  @inline(never)
  private static func multiply(_ x: UnsafeMutablePointer<Float>, by factor: Float, _ count: Int) {
    var i = 0
    while i < count {
      x[i] *= factor
      i &+= 1
    }
  }

  /// Waits for every bucket; the first block holds the combination.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    guard let delivery, let gatherers else { return blocks[0] }
    try tail?.finish()
    while combined < started { try combine(delivery, gatherers) }
    for bucket in 0..<started {
      if let request = gathers[bucket] { try gatherers.wait(request) }
      gathers[bucket] = nil
    }
    (started, combined) = (0, 0)
    self.blocks = []
    return blocks[0]
  }

  /// The bytes of shards' gradients, their combination and the tail.
  public func bytesSent(step: Int) -> Int? {
    guard let delivery, let tail, let gatherers else { return nil }
    let owned = buckets.indices.reduce(0) { $0 + delivery.own($1).count }
    return delivery.bytesSent + 4 * (gatherers.size - 1) * owned + tail.bytesSent
  }
}

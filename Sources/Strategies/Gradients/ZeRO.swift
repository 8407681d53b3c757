import Communication
import Configuration
import Optimizers
import Tensors

/// Every rank moves its share of the parameters and remembers only what the update rule knows about that share (Rajbhandari,
/// Rasley, Ruwase & He 2020, "ZeRO: memory optimizations toward training trillion parameter models", section 5).
///
/// Shares are consecutive, cut at edges of ``ParameterBlocks``, alike to about 4,096 scalars.  Stage 1 (P_os) sums gradients
/// as `allreduce` does; stage 2 (P_os+g) brings each gradient only to the rank that moves its parameter.  Then parameters
/// are all-gathered, in place.  Sums are those of `ShardTree` and norms those of whole parameters, so the bits are those of
/// `allreduce`, for every update rule, with clipping or without.
///
/// Sends per step, for n parameters of which the rank moves nᵣ ≈ n/p, a tail of t scalars and k sums a rank:
/// - stage 1: 4(n + t)(k + 1)(p − 1)/p + 4(p − 1)nᵣ bytes, about 12n where k = 1: `allreduce`, then the parameters;
/// - stage 2: 4k(n − nᵣ) + 4t(k + 1)(p − 1)/p + 4(p − 1)nᵣ, about 8n where k = 1: as much as `allreduce`.
///
/// Clipping and layerwise rules add 8(p − 1) and 24(p − 1) bytes for each block of parameters that the rank moves.
///
/// Saves a rank (p − 1)/p of the update rule's memory, 4n bytes for each block it keeps (Adam: two), between checkpoints:
/// while one is written, rank 0 holds all of it.  Nothing else gets smaller: every rank keeps all parameters, and room for
/// all gradients, which its own backward pass fills, so stage 2 saves bytes on the wire, not memory; the sums that arrive
/// take 4(P − k)nᵣ bytes, with P sums of all ranks.
/// Stage 3 does not exist here.  State: none beside the update rule's, which checkpoints hold whole.
public final class ZeRO: GradientStrategy {
  /// The name in configurations.
  public static let name = "zero"
  /// What it does.
  public static let help = "shares the update rule's memory out among ranks; the result is that of allreduce"

  /// Sums of the largest subtrees are enough.
  public let grain = GradientGrain.subtrees
  /// This rank's share.
  public private(set) var ownedParameters = 0..<0
  private let stage: Int
  /// By rank.
  private var shares: [Range<Int>] = []
  private var communicator: (any Communicator)?
  /// Whole buckets in stage 1, the tail in stage 2.
  private var sum: TreeSum?
  private var delivery: PieceDelivery?
  private var additions: [(to: Int, from: Int)] = []
  private var blocks: [Storage] = []
  /// Buckets under way, and of these the ones whose sums were added.
  private var started = 0
  private var added = 0

  /// Reads the stage.
  public init(options: inout Options) throws(ConfigurationError) {
    stage = try options.integer(
      "stage", default: 2, in: 1...2,
      "1: every rank gets all gradients; 2: a rank gets those of the parameters that it moves")
  }

  /// The rank's share.
  public func ownedParameterCount(_ share: RankShare) -> Int {
    ParameterBlocks(share.layout).parts(share.ranks)[share.rank].count
  }

  /// In stage 2 the sums of others about the rank's share.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    guard stage == 2 else { return StrategyBytes() }
    let sums = (0..<share.ranks).reduce(0) {
      $0 + share.tree.subtrees(in: share.tree.shards(of: $1, parts: share.ranks)).count
    }
    return StrategyBytes(working: 4 * (sums - share.subtrees.count) * ownedParameterCount(share))
  }

  /// Shares the parameters out.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    let communicator = plan.communicator
    self.communicator = communicator
    shares = ParameterBlocks(plan.layout).parts(communicator.size)
    ownedParameters = shares[communicator.rank]
    guard stage == 2 else { return sum = TreeSum(plan, plan.buckets, of: grain) }
    sum = TreeSum(plan, [plan.tail], of: grain)
    let pieces = (0..<communicator.size).map { plan.subtrees(of: $0) }
    additions = plan.tree.additions(of: pieces.flatMap { $0 }, into: 0..<plan.tree.shards)
    let parts = plan.buckets.indices.map { bucket in
      shares.map { $0.clamped(to: plan.gradients(ofBucket: bucket)) }
    }
    delivery = PieceDelivery(communicator, blocks: pieces.map(\.count), parts: parts)
  }

  /// Starts the sum of a bucket, or its way to those who move its parameters.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    guard let delivery else {
      try sum?.start(bucket, blocks)
      return
    }
    if bucket == 0 { try sum?.start(0, blocks) }
    self.blocks = blocks
    try delivery.start(bucket, blocks)
    started += 1
  }

  /// Moves the exchange along and adds what has arrived.
  public func poll() throws(CommunicationError) {
    guard let delivery, added < started else {
      try sum?.poll()
      return
    }
    while added < started, try delivery.test(added) { try add(delivery) }
  }

  /// Adds the sums of this rank's part of the next bucket in the order of the tree.
  private func add(_ delivery: PieceDelivery) throws(CommunicationError) {
    try delivery.finish(added)
    let own = delivery.own(added)
    for (to, from) in additions {
      VectorMath.add(
        delivery.place(ofBlock: from, added, blocks), to: delivery.place(ofBlock: to, added, blocks), count: own.count)
    }
    let (target, total) = (blocks[0].base + own.lowerBound, delivery.place(ofBlock: 0, added, blocks))
    if total != target { target.update(from: total, count: own.count) }
    added += 1
  }

  /// Waits for every bucket; the first block holds the sums, in stage 2 those of this rank's share and of the tail.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    try sum?.finish()
    if let delivery {
      while added < started { try add(delivery) }
      (started, added) = (0, 0)
      self.blocks = []
    }
    return blocks[0]
  }

  /// Gives every rank the parameters that the others have moved.
  public func finishUpdate(_ store: ParameterStore) throws(CommunicationError) {
    guard let communicator else { return }
    let parameters = store.parameters.scalars
    try communicator.allGather(
      UnsafeBufferPointer(rebasing: parameters[ownedParameters]), into: parameters, counts: shares.map(\.count))
  }

  /// The bytes of gradients and parameters.
  public func bytesSent(step: Int) -> Int? {
    guard let sum, let communicator else { return nil }
    return sum.bytesSent + (delivery?.bytesSent ?? 0) + 4 * (communicator.size - 1) * ownedParameters.count
  }
}

import Communication
import Configuration
import Tensors

/// Adds gradients within groups of ranks first, such as those of a host, then between groups, so that less travels between
/// them: the hierarchical all-reduce of Jia et al. 2018, "Highly scalable deep learning training system with
/// mixed-precision", with many leaders instead of one.
///
/// A bucket is cut into q parts, q being the ranks of the smallest group; the i-th rank of every group leads part i.  Within
/// a group, ranks send their sums to the leaders, which add them into the sums of subtrees that the group holds whole; the
/// leaders of a part add those in the order of `ShardTree` between groups; then each gives its part to its group.  Who adds
/// what where changes, not the tree: the bits are those of `allreduce`.
///
/// Sends per step, with k sums a rank, K sums a group, g ranks in the group, G groups and n scalars of which the rank leads
/// nᵢ ≈ n/q (0 beyond the q-th rank) and adds between groups nₒ ≈ nᵢ/G:
/// 4k(n − nᵢ) + 4K(nᵢ − nₒ) + 4(G − 1)nₒ + 4(g − 1)nᵢ bytes.  Between groups, that is 4n(K + 1)(G − 1)/G for a whole group,
/// where `allreduce` sends up to g times as much.  State: none.
public final class Hierarchical: GradientStrategy {
  /// The name in configurations.
  public static let name = "hierarchical"
  /// What it does.
  public static let help = "adds gradients within groups of ranks, such as a host's, then between groups"

  /// Sums of the largest subtrees are enough.
  public let grain = GradientGrain.subtrees
  /// All of them.
  public private(set) var ownedParameters = 0..<0
  private let groupSize: Int
  private var buckets: [Range<Int>] = []
  private var inside: (any Communicator)?
  /// The leaders of this rank's part; nil where it leads none.
  private var between: (any Communicator)?
  private var delivery: PieceDelivery?
  /// Additions within the group, and where its sums then lie among the blocks of its ranks.
  private var additions: [(to: Int, from: Int)] = []
  private var heads: [Int] = []
  private var tree: ReductionTree?
  /// The places of the group's sums, bucket by bucket: they must stay where they are until the sum is done.
  private var places: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>
  private var sums: [Request?] = []
  private var gathers: [Request?] = []
  private var blocks: [Storage] = []
  /// Buckets under way, of these the ones that were added within the group, and of these the ones added between groups.
  private var started = 0
  private var added = 0
  private var summed = 0

  /// Reads the size of groups.
  public init(options: inout Options) throws(ConfigurationError) {
    groupSize = try options.integer(
      "group", default: 0, in: 0...1 << 30, unit: "ranks", "most ranks of a group; 0: the ranks of a host")
    places = .allocate(capacity: 0)
  }

  deinit { places.deallocate() }

  /// The sums of the group's other ranks of the part that this one leads; where hosts are groups, all are taken for one.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let group = groupSize == 0 ? share.ranks : min(groupSize, share.ranks)
    return StrategyBytes(working: share.modelBytes * share.subtrees.count * (group - 1) / group)
  }

  /// Forms the groups.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    let (rank, tree) = (plan.communicator.rank, plan.tree)
    ownedParameters = 0..<plan.layout.parameterCount
    buckets = plan.buckets
    let groups =
      groupSize == 0
      ? try RankGroups.hosts(plan.aside.communicator)
      : RankGroups.groups(of: plan.communicator.size, size: groupSize)
    let index = groups.firstIndex { $0.contains(rank) } ?? 0
    let leaders = groups.map(\.count).min() ?? 1
    let place = rank - groups[index].lowerBound
    let inside = try plan.communicator.split(color: index, key: rank)
    let between = try plan.communicator.split(color: min(place, leaders), key: rank)
    self.inside = inside
    self.between = place < leaders ? between : nil

    /// The largest subtrees that a group holds whole.
    func subtrees(_ group: Range<Int>) -> [Range<Int>] {
      let shards = group.map { tree.shards(of: $0, parts: plan.communicator.size) }
      return tree.subtrees(in: shards[0].lowerBound..<shards[shards.count - 1].upperBound)
    }
    let pieces = groups[index].map(plan.subtrees(of:))
    let all = pieces.flatMap { $0 }
    for subtree in subtrees(groups[index]) {
      let within = all.filter { $0.clamped(to: subtree) == $0 }
      let head = all.firstIndex(of: within[0]) ?? 0
      heads.append(head)
      additions += tree.additions(of: within, into: subtree).map { (head + $0.to, head + $0.from) }
    }
    let sums = groups.map(subtrees)
    self.tree = ReductionTree(
      blocks: sums.map(\.count), additions: tree.additions(of: sums.flatMap { $0 }, into: 0..<tree.shards))
    let parts = buckets.map { range in
      let lines = Parts.lines(range.count, over: leaders)
      return groups[index].indices.map { member in
        let member = min(member - groups[index].lowerBound, leaders)
        let start = range.lowerBound + lines.offset(of: member)
        return start..<(member < leaders ? start + lines.count(of: member) : start)
      }
    }
    delivery = PieceDelivery(inside, blocks: pieces.map(\.count), parts: parts)
    places.deallocate()
    places = .allocate(capacity: heads.count * buckets.count)
    self.sums = buckets.map { _ in nil }
    gathers = self.sums
  }

  /// Starts bringing a bucket to the leaders of its parts.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    self.blocks = blocks
    try delivery?.start(bucket, blocks)
    started += 1
  }

  /// Moves the exchange along.
  public func poll() throws(CommunicationError) {
    guard let inside, let delivery else { return }
    while added < started, try delivery.test(added) { try addWithin(delivery) }
    while summed < added, try isSummed { try spread(delivery, inside) }
    if summed > 0, let request = gathers[summed - 1] { _ = try inside.test(request) }
  }

  private var isSummed: Bool {
    get throws(CommunicationError) {
      guard let between, let request = sums[summed] else { return true }
      return try between.test(request)
    }
  }

  /// Adds what the group has of the next bucket's part, and starts adding it to what other groups have.
  private func addWithin(_ delivery: PieceDelivery) throws(CommunicationError) {
    try delivery.finish(added)
    let count = delivery.own(added).count
    for (to, from) in additions {
      VectorMath.add(
        delivery.place(ofBlock: from, added, blocks), to: delivery.place(ofBlock: to, added, blocks), count: count)
    }
    if let between, let tree {
      let own = UnsafeMutableBufferPointer(rebasing: places[added * heads.count..<(added + 1) * heads.count])
      for (index, head) in heads.enumerated() {
        (own.baseAddress! + index).initialize(to: delivery.place(ofBlock: head, added, blocks))
      }
      sums[added] = try between.startTreeReduce(UnsafeBufferPointer(own), count: count, tree: tree, label: added)
    }
    added += 1
  }

  /// Starts giving the total of the next bucket's part to the group.
  private func spread(_ delivery: PieceDelivery, _ inside: any Communicator) throws(CommunicationError) {
    if let between, let request = sums[summed] { try between.wait(request) }
    sums[summed] = nil
    let (range, own) = (buckets[summed], delivery.own(summed))
    gathers[summed] = try inside.startAllGather(
      UnsafeBufferPointer(start: delivery.place(ofBlock: 0, summed, blocks), count: own.count),
      into: UnsafeMutableBufferPointer(rebasing: blocks[0].scalars[range]), counts: delivery.counts(summed),
      label: summed)
    summed += 1
  }

  /// Waits for every bucket; the first block holds the sums.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    guard let inside, let delivery else { return blocks[0] }
    while added < started { try addWithin(delivery) }
    while summed < started { try spread(delivery, inside) }
    for bucket in 0..<started {
      if let request = gathers[bucket] { try inside.wait(request) }
      gathers[bucket] = nil
    }
    (started, added, summed) = (0, 0, 0)
    self.blocks = []
    return blocks[0]
  }

  /// The bytes of all three ways.
  public func bytesSent(step: Int) -> Int? {
    guard let delivery, let inside else { return nil }
    guard let between else { return delivery.bytesSent }
    var scalars = 0
    for bucket in buckets.indices {
      let part = delivery.own(bucket).count
      let own = Parts.lines(part, over: between.size).count(of: between.rank)
      scalars += heads.count * (part - own)
      scalars += (between.size - 1) * own + (inside.size - 1) * part
    }
    return delivery.bytesSent + 4 * scalars
  }
}

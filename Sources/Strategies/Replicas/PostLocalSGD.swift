import Communication
import Configuration
import Tensors

/// Exchanges gradients in every step at first, and lets workers train alone for `period` steps at a time afterwards.
///
/// Lin et al. 2020, "Don't use large mini-batches, use local SGD", section 3: small periods matter early.  Before `start` every
/// worker moves by Σ share_i·g_i, where share_i is worker i's part of the step's samples, added in the order of the tree:
/// `allreduce` up to rounding, to the bit where shares are powers of two, and plain SGD to the bit with one worker.  From
/// `start` on it is `local-sgd`, periods counted from there.  Workers without samples move with the others before `start`,
/// and stay after.  Deviation: gradients are exchanged after the backward pass, not during it.
///
/// Sends 4·(n + m)·(k + 1)·(p − 1)/p bytes for n weights, m statistics, k subtrees a rank and p ranks: in every step before
/// `start`, and then in every `period`-th.  State: none beside the replicas; nothing is in flight between two steps.
public final class PostLocalSGD: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "post-local-sgd"
  /// What it does.
  public static let help = "adds gradients every step at first, then lets workers train alone as local-sgd does"

  private let begin: Quantity
  private let period: Int
  /// The first step that workers make alone.
  private var firstAlone = 0
  private var replicas: [Replica] = []
  private var gradients: ReplicaMean?
  private var meeting: Consensus?
  private var aside: Consensus?

  /// Reads when workers are left alone, and for how long.
  public init(options: inout Options) throws(ConfigurationError) {
    begin = try options.quantity(
      "start", in: ["epoch", "step"], default: Quantity(1, "epoch"), "how long gradients are exchanged every step")
    period = try options.integer(
      "period", default: 8, in: 1...1 << 30, unit: "steps", "steps that workers then make between two means")
  }

  /// The sum of gradients, the mean that replicas take, and that which is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes { StrategyBytes(working: 3 * Consensus.bytes(share)) }

  /// Makes room for sums and means.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    firstAlone = begin.unit == "epoch" ? begin.count * plan.stepsPerEpoch : begin.count
    self.replicas = replicas
    gradients = try ReplicaMean(plan, [0..<plan.layout.gradientCount], divisor: 1)
    meeting = try Consensus(plan, replicas)
    aside = try Consensus(plan.aside, replicas)
  }

  /// Gives every worker the gradient of all samples, before the start.
  public func gradientsReady(_ step: Int) throws(CommunicationError) {
    guard let gradients, step < firstAlone, let first = replicas.first else { return }
    try gradients.start(0) { [replicas] shard, target in
      let replica = replicas[shard - first.shard]
      let (source, share, count) = (replica.gradient.base, replica.share, gradients.count)
      var i = 0
      while i < count {
        target[i] = share * source[i]
        i &+= 1
      }
    }
    try gradients.finish()
    for replica in replicas {
      gradients.copy(0, to: replica.gradient.base)
      replica.samples = max(1, replica.samples)
    }
  }

  /// Takes the mean when it is time.
  public func endStep(_ step: Int) throws(CommunicationError) {
    if isDue(step) { try meeting?.average() }
  }

  private func isDue(_ step: Int) -> Bool { step >= firstAlone && (step + 1 - firstAlone) % period == 0 }

  /// The mean of all workers.
  public func consensus(into store: ParameterStore) throws(CommunicationError) { try aside?.mean(into: store) }

  /// The bytes of gradients, or of the mean in steps that take it.
  public func bytesSent(step: Int) -> Int? {
    if step < firstAlone { return gradients?.bytesSent }
    return isDue(step) ? meeting?.bytesSent : 0
  }
}

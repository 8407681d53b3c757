import Communication
import Configuration
import Tensors

/// After every step each worker keeps half of its weights and pushes the other half to one peer, another in every step.
///
/// Assran et al. 2019, "Stochastic gradient push for distributed deep learning", algorithm 1, on the directed exponential
/// graph: in step k worker i of N pushes to (i + 2^(k mod ⌈log₂N⌉)) mod N.  With z = x/w, where x are biased weights and w is
/// the push-sum weight, starting at 1:
///   x_i ← x_i − η·g_i(z_i);  x_i ← ½·x_i + ½·x_j,  w_i ← ½·w_i + ½·w_j  for the j that pushes to i;  z_i = x_i/w_i.
/// Everybody has one peer to hear from, so w stays 1 on this graph; it travels, is divided by and kept all the same.  One
/// worker alone pushes nothing: plain SGD to the bit.
///
/// A replica holds z between steps; x = w·z while it moves.  Deviations: any update rule takes the place of −η·g, its memory
/// stays with the worker; statistics of normalisations are pushed with the weights.  A worker without samples does not move,
/// and pushes.
///
/// Sends in step k 4·(n + m + 1)·e bytes for n weights and m statistics, where e counts the workers of the rank whose peer is
/// on another rank.  State: w of each worker; nothing is in flight between two steps.
public final class PushGossip: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "push-gossip"
  /// What it does.
  public static let help = "lets each worker push half of its weights to one peer, another in every step"

  private var rounds = 0
  private var replicas: [Replica] = []
  private var pushWeights: [Storage] = []
  private var messages: PeerMessages?
  private var aside: Consensus?
  private var workers = 1

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Weights of this rank's workers and of their peers elsewhere, and the mean that is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let messages = min(2 * share.shards.count, share.tree.shards)
    return StrategyBytes(working: messages * share.modelBytes + Consensus.bytes(share))
  }

  /// Makes room for a message from a peer.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    let workers = plan.tree.shards
    self.workers = workers
    self.replicas = replicas
    pushWeights = replicas.map { _ in Storage(zeros: 1) }
    rounds = Int.bitWidth - (workers - 1).leadingZeroBitCount
    let scalars = plan.layout.parameterCount + plan.layout.movingStateCount
    messages = PeerMessages(plan, scalars: scalars + 1, rounds: rounds) { round, shard in
      [PushGossip.source(of: shard, round, workers)]
    }
    aside = try Consensus(plan.aside, replicas)
  }

  /// Who pushes to a worker.
  private static func source(of shard: Int, _ round: Int, _ workers: Int) -> Int {
    (shard + workers - (1 << round)) % workers
  }

  /// Every w is 1.
  public func start() throws(CommunicationError) {
    for weight in pushWeights { weight.base[0] = 1 }
  }

  /// From z to x, which the update moves.
  public func gradientsReady(_ step: Int) throws(CommunicationError) {
    for (replica, weight) in zip(replicas, pushWeights) where weight.base[0] != 1 {
      PushGossip.scale(replica.store.parameters.base, by: weight.base[0], count: replica.store.parameters.count)
    }
  }

  /// Pushes x and w, and goes back to z.
  public func endStep(_ step: Int) throws(CommunicationError) {
    guard let messages, rounds > 0 else { return }
    let round = step % rounds
    for (replica, weight) in zip(replicas, pushWeights) {
      let message = messages.message(of: replica.shard, round: round)
      replica.write(to: message)
      PushGossip.scale(message, by: 0.5, count: replica.store.parameters.count)
      PushGossip.scale(
        message + replica.store.parameters.count, by: 0.5 * weight.base[0], count: replica.stateCount)
      message[messages.scalars - 1] = 0.5 * weight.base[0]
    }
    try messages.start(round)
    try messages.finish()
    for (replica, weight) in zip(replicas, pushWeights) {
      let own = messages.message(of: replica.shard, round: round)
      let other = messages.message(of: PushGossip.source(of: replica.shard, round, workers), round: round)
      weight.base[0] = own[messages.scalars - 1] + other[messages.scalars - 1]
      replica.forEachBlock { block, count, offset in
        PushGossip.join(own + offset, other + offset, over: weight.base[0], into: block, count: count)
      }
    }
  }

  private static func scale(_ y: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    var i = 0
    while i < count {
      y[i] *= factor
      i &+= 1
    }
  }

  /// z = (a + b) / w.
  private static func join(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, over weight: Float,
    into z: UnsafeMutablePointer<Float>, count: Int
  ) {
    var i = 0
    while i < count {
      z[i] = (a[i] + b[i]) / weight
      i &+= 1
    }
  }

  /// w of this rank's workers.
  public var memory: [StrategyMemory] {
    zip(replicas, pushWeights).map { StrategyMemory("push-weight", of: .shard($0.shard), $1) }
  }

  /// The mean of all workers' z: of x, as the weights stay 1.
  public func consensus(into store: ParameterStore) throws(CommunicationError) { try aside?.mean(into: store) }

  /// The bytes to peers on other ranks.
  public func bytesSent(step: Int) -> Int? { rounds == 0 ? 0 : messages?.bytesSent(round: step % rounds) }
}

import Communication
import Configuration
import Tensors

/// Workers stand in a ring; in every step each takes the mean of its own weights and its two neighbours', and moves from
/// there by its own gradient.
///
/// Lian et al. 2017, "Can decentralized algorithms outperform centralized algorithms?" (D-PSGD), algorithm 1:
/// x_i ← Σ_j W_ij·x_j − η·g_i(x_i), the gradient taken at the weights before they are mixed.  W_ij = 1/(1 + degree) for a
/// worker itself and its neighbours: ⅓ in a ring; ½ for two workers, who are each other's only neighbour; 1 for one alone,
/// which is plain SGD to the bit.  Where all agree, mixing changes no bit.
///
/// Weights start on their way before the gradients are computed.  Deviations: any update rule takes the place of −η·g, with
/// weight decay taken at the mixed weights and memory that stays with the worker; statistics of normalisations are mixed with
/// the weights.  A worker without samples is mixed all the same.
///
/// Sends in every step 4·(n + m)·e bytes for n weights and m statistics, where e counts the pairs of a worker of the rank and
/// another rank that holds a neighbour of it: 2 for three ranks or more, as 2 for two ranks of two workers or more each.
/// State: none beside the replicas; nothing is in flight between two steps.
public final class Gossip: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "gossip"
  /// What it does.
  public static let help = "lets each worker average its weights with its two neighbours in a ring, every step"

  private var workers = 1
  private var replicas: [Replica] = []
  private var messages: PeerMessages?
  private var aside: Consensus?

  /// No options.
  public init(options: inout Options) throws(ConfigurationError) {}

  /// Weights of this rank's workers and of their two neighbours elsewhere, and the mean that is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let messages = min(share.shards.count + 2, share.tree.shards)
    return StrategyBytes(working: messages * share.modelBytes + Consensus.bytes(share))
  }

  /// Makes room for the neighbours' weights.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    workers = plan.tree.shards
    self.replicas = replicas
    let scalars = plan.layout.parameterCount + plan.layout.movingStateCount
    messages = PeerMessages(plan, scalars: scalars, rounds: 1) { neighbours(of: $1) }
    aside = try Consensus(plan.aside, replicas)
  }

  /// Left, then right; each other worker once.
  private func neighbours(of shard: Int) -> [Int] {
    switch workers {
    case 1: []
    case 2: [1 - shard]
    default: [(shard + workers - 1) % workers, (shard + 1) % workers]
    }
  }

  /// Sends the weights on their way.
  public func beginStep(_ step: Int) throws(CommunicationError) {
    guard let messages else { return }
    for replica in replicas { replica.write(to: messages.message(of: replica.shard, round: 0)) }
    try messages.start(0)
  }

  /// Moves them along.
  public func poll() throws(CommunicationError) { try messages?.poll() }

  /// Mixes: ((own + left) + right) / 3.
  public func gradientsReady(_ step: Int) throws(CommunicationError) {
    guard let messages else { return }
    try messages.finish()
    for replica in replicas {
      let neighbours = neighbours(of: replica.shard)
      if neighbours.isEmpty { continue }
      replica.forEachBlock { block, count, offset in
        for neighbour in neighbours {
          VectorMath.add(messages.message(of: neighbour, round: 0) + offset, to: block, count: count)
        }
        Gossip.divide(block, by: Float(1 + neighbours.count), count: count)
      }
    }
  }

  private static func divide(_ y: UnsafeMutablePointer<Float>, by divisor: Float, count: Int) {
    var i = 0
    while i < count {
      y[i] /= divisor
      i &+= 1
    }
  }

  /// The mean of all workers.
  public func consensus(into store: ParameterStore) throws(CommunicationError) { try aside?.mean(into: store) }

  /// The bytes to other ranks' neighbours.
  public func bytesSent(step: Int) -> Int? { messages?.bytesSent(round: 0) }
}

import Communication
import Configuration
import Tensors

/// Moves a global model by what the replicas have moved since they last took it, with Nesterov momentum, range by range.
///
/// Douillard et al. 2023, "DiLoCo", algorithm 1, with PyTorch's momentum: Δ = mean(θ − θ_i), u ← μ·u + Δ,
/// θ ← θ − η·(Δ + μ·u).  Ranges lie in the vector of weights, then states that move; states become their mean.
final class OuterOptimizer {
  private let replicas: [Replica]
  private let first: Int
  private let weights: Int
  private let ranges: [Range<Int>]
  private let mean: ReplicaMean
  private let learningRate: Float
  private let momentumFactor: Float
  /// θ, then the mean of the states.
  private let global: Storage
  /// u.
  private let momentum: Storage
  /// Ranges that were started and have not moved the global model yet.
  private var underWay: [Int] = []

  /// The two numbers of the outer step.
  struct Settings {
    let learningRate: Float
    let momentum: Float

    /// The paper's unless given.
    init(_ options: inout Options) throws(ConfigurationError) {
      learningRate = Float(
        try options.number("outer-learning-rate", default: 0.7, in: .positive, "rate at which the global model moves"))
      momentum = Float(
        try options.number("outer-momentum", default: 0.9, in: .fractionBelowOne, "its Nesterov momentum"))
    }
  }

  /// An outer step for ranges none of which has weights and states.  Collective.
  init(
    _ settings: Settings, _ plan: ExchangePlan, _ replicas: [Replica], _ ranges: [Range<Int>]
  ) throws(CommunicationError) {
    self.replicas = replicas
    self.ranges = ranges
    learningRate = settings.learningRate
    momentumFactor = settings.momentum
    first = plan.shards.lowerBound
    weights = plan.layout.parameterCount
    mean = try ReplicaMean(plan, ranges)
    global = Storage(zeros: weights + plan.layout.movingStateCount)
    momentum = Storage(zeros: weights)
  }

  /// θ, u and the mean of what the replicas moved.
  static func bytes(_ share: RankShare) -> StrategyBytes {
    StrategyBytes(
      remembered: share.modelBytes + share.weightBytes, working: ReplicaMean.copies(share) * share.modelBytes)
  }

  /// Takes the weights with which all replicas start.
  func begin() { replicas.first?.write(to: global.base) }

  /// Starts the means of some ranges of what the replicas are now.
  func start(_ indices: [Int]) throws(CommunicationError) {
    for index in indices {
      let range = ranges[index]
      try mean.start(index) { shard, target in
        let source = scalars(replicas[shard - first], range)
        if range.lowerBound >= weights { return target.update(from: source, count: range.count) }
        let old = global.base + range.lowerBound
        var i = 0
        while i < range.count {
          target[i] = old[i] - source[i]
          i &+= 1
        }
      }
    }
    underWay += indices
  }

  /// Moves what was started along.
  func poll() throws(CommunicationError) { try mean.poll() }

  /// Waits for what was started and moves the global model by it.
  func finish() throws(CommunicationError) {
    try mean.finish()
    for index in underWay { move(index) }
    underWay.removeAll(keepingCapacity: true)
  }

  private func move(_ index: Int) {
    let range = ranges[index]
    let place = global.base + range.lowerBound
    if range.lowerBound >= weights { return mean.copy(index, to: place) }
    let difference = mean.mean(of: index)
    let (u, eta, mu) = (momentum.base + range.lowerBound, learningRate, momentumFactor)
    var i = 0
    while i < range.count {
      let delta = difference[i]
      let moved = mu * u[i] + delta
      u[i] = moved
      place[i] -= eta * (delta + mu * moved)
      i &+= 1
    }
  }

  /// Every replica takes ranges of the global model: θ_i ← (1 − α)·θ + α·θ_i.
  func merge(_ indices: [Int], mixing: Float = 0) {
    for replica in replicas {
      for range in indices.map({ ranges[$0] }) {
        let (source, target) = (global.base + range.lowerBound, scalars(replica, range))
        if mixing == 0 {
          target.update(from: source, count: range.count)
          continue
        }
        let rest = 1 - mixing
        var i = 0
        while i < range.count {
          target[i] = rest * source[i] + mixing * target[i]
          i &+= 1
        }
      }
    }
  }

  /// A replica's scalars of a range.
  private func scalars(_ replica: Replica, _ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    range.lowerBound < weights
      ? replica.store.parameters.base + range.lowerBound : replica.store.states.base + (range.lowerBound - weights)
  }

  /// θ and u, the same on all ranks once nothing is under way.
  var memory: [StrategyMemory] {
    [StrategyMemory("global", of: .everyone, global), StrategyMemory("momentum", of: .everyone, momentum)]
  }

  /// Bytes that this rank sends for some ranges.
  func bytesSent(_ indices: [Int]) -> Int { indices.reduce(0) { $0 + mean.bytesSent(for: $1) } }
}

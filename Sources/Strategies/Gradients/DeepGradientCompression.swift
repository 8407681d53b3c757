import Communication
import Compression
import Configuration
import Optimizers
import Tensors

/// Sparse gradients with momentum at the sender (Lin, Han, Mao, Wang, Dally, ICLR 2018, "Deep gradient compression",
/// sections 3.1–3.3).
///
///     u ← m u + g;  v ← v + u;  send about the top k of v;  u, v ← 0 at the places sent
///
/// The threshold of a parameter is estimated from a sample (``SampledTopK``).  The share that is sent falls from 1/4
/// over 1/16, 1/64 and 1/256 to `ratio`: sparsities of 75, 93.75, 98.44, 99.6 and 99.9 %, the first four in equal parts
/// of `warmup`, four epochs as in the paper.  With `clip`, a shard's gradient of every parameter, as a mean over its own
/// samples, is scaled to a norm of at most clip / √S (section 3.3, by parameter as in the authors' code).
///
/// It takes the momentum's part: `optimizer` must be `sgd` without Nesterov's update, whose momentum becomes m; what is
/// applied then is SGD without momentum.  So a coupled weight decay acts directly, 1 / (1 − m) times weaker than beside
/// momentum.  Deviations: a shard with fewer samples than the others is taken for a mean over as many; `training.clip`
/// clips the sum, after compression.
///
/// Sends per step and rank 8k·h·(p − 1) bytes for the k = Σ max(1, ⌊share · n⌋) over the parameters and h shards held
/// by the rank, and the tail (``CompressedStrategy``).  State: u and v of every shard.  A ratio of 1 does not make it
/// plain SGD: what is sent loses its momentum, and the estimated threshold leaves something for later.
public final class DeepGradientCompression: CompressedStrategy {
  /// The name in configurations.
  public static let name = "dgc"
  /// What it does.
  public static let help =
    "sends the largest scalars of gradients that gathered momentum at the sender (deep gradient compression)"

  private let ratio: Double
  private let warmup: Quantity
  private let clip: Double?
  private var momentum: Double = 0
  /// Where it stands.
  public var course: CompressedCourse?

  /// Reads shares and limit.
  public init(options: inout Options) throws(ConfigurationError) {
    ratio = try options.number(
      "ratio", default: 0.001, in: .positiveFraction, "share of every parameter's gradient that is sent in the end")
    warmup = try options.quantity(
      "warmup", in: ["epoch", "step"], default: Quantity(4, "epoch"), "how long the share falls to that, by quarters")
    clip = try options.optionalNumber(
      "clip", in: .positive, "norm that a parameter's gradient is limited to, over the root of the number of shards")
  }

  /// SGD without momentum, which is applied at the sender; throws for other rules.
  public func rule(for configured: any UpdateRule) throws(ConfigurationError) -> any UpdateRule {
    guard let sgd = configured as? SGD, !sgd.nesterov else {
      throw ConfigurationError(
        "strategy: \(DeepGradientCompression.name) does the work of sgd's momentum and goes with nothing else; "
          + "set optimizer.name: sgd, without nesterov")
    }
    momentum = sgd.momentum
    return SGD(weightDecay: sgd.weightDecay, decoupled: sgd.decoupled)
  }

  /// Velocities and accumulations; the messages of every share.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let capacity = share.layout.parameters.map(\.range.count).max() ?? 0
    var bytes = StrategyBytes(remembered: 2 * share.shards.count * share.weightBytes)
    for (_, ratio) in shares(stepsPerEpoch: 1) {
      bytes.working += EncodedExchange.bytes(share, SampledTopK(ratio: ratio, capacity: capacity), blocks: 0).working
    }
    return bytes
  }

  /// Messages of pairs, as many as the warm-up says.
  public func makeExchange(_ plan: ExchangePlan) throws(CommunicationError) -> any BucketExchange {
    let shards = Double(plan.tree.shards)
    // A gradient here is 1/S of a mean over the shard's own samples.
    let limit = clip.map { $0 / (shards * shards.squareRoot()) }
    let memories = plan.shards.map { _ in
      SenderMomentum(count: plan.layout.parameterCount, momentum: Float(momentum), limit: limit)
    }
    let capacity = plan.layout.parameters.map(\.range.count).max() ?? 0
    var stages: [(first: Int, exchange: any BucketExchange)] = []
    for (first, share) in shares(stepsPerEpoch: plan.stepsPerEpoch) {
      stages.append((first, try EncodedExchange(plan, SampledTopK(ratio: share, capacity: capacity), memories)))
    }
    return StagedExchange(stages)
  }

  /// The shares that are sent, each from a step on.
  private func shares(stepsPerEpoch: Int) -> [(first: Int, share: Double)] {
    let steps = warmup.unit == "epoch" ? warmup.count * stepsPerEpoch : warmup.count
    let falling = [0x1p-2, 0x1p-4, 0x1p-6, 0x1p-8].filter { $0 > ratio }
    return (falling + [ratio]).enumerated().map { index, share in (steps * index / max(1, falling.count), share) }
  }
}

/// Momentum that gathers at the sender until it is sent, of gradients that may be clipped.
struct SenderMomentum: WorkerMemory {
  private let correction: MomentumCorrection
  private let limit: Double?

  init(count: Int, momentum: Float, limit: Double?) {
    correction = MomentumCorrection(count: count, momentum: momentum)
    self.limit = limit
  }

  func encode(
    _ gradient: UnsafeMutablePointer<Float>, _ range: Range<Int>, with compressor: some Compressor, key: CompressionKey,
    into message: UnsafeMutableRawPointer
  ) {
    if let limit {
      let norm = Reductions.squares(gradient, range.count).squareRoot()
      if norm > limit { VectorMath.scale(gradient, by: Float(limit / norm), count: range.count) }
    }
    let pending = correction.accumulate(gradient, range)
    compressor.encode(pending, count: range.count, key: key, into: message)
    correction.clear(
      range, sent: message, pairs: compressor.byteCount(of: range.count) / SparseMessage.byteCount(pairs: 1))
  }

  var blocks: [(name: String, storage: Storage)] {
    [("velocity", correction.velocity), ("accumulation", correction.accumulation)]
  }
}

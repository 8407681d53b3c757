import Communication
import Configuration
import Optimizers
import Tensors

/// 1-bit Adam: Adam with exact gradients at first, then with its second moment frozen and its first moment exchanged as signs
/// (Tang et al. 2021, "1-bit Adam: communication efficient large-scale training with Adam's convergence speed", algorithm 1),
/// as DeepSpeed's.
///
///     m ← β₁m + (1 − β₁)g      v ← β₂v + (1 − β₂)g²        the first `freeze-step` steps, g the sum over all shards
///     mₛ = β₁m + (1 − β₁)gₛ    m ← ``TwoSidedSigns`` of all mₛ      then, with the gradient gₛ of each worker
///     w ← w − rate · (m / (√v + ε) + decay · w)
///
/// As in DeepSpeed, unlike `adam`: no correction of the start, decay beside the moments, and with one worker nothing is
/// compressed.  Beyond it: a parameter's chunks are one for each worker, whichever ranks hold them; momenta whose v is 0
/// when it freezes stay 0 (DeepSpeed masks them where told which, and without that they would move by rate · scale / ε);
/// errors are restored from checkpoints; the exchange of signs begins after the backward pass.  A worker's gradient is S
/// times what its shard adds to the step's mean, so that one with fewer samples counts less.
///
/// It takes Adam's part: `optimizer` must be `adam`, whose β, ε and decay it reads; what is applied then is plain SGD.  There
/// is no gradient to clip, so `training.clip` is refused.
///
/// Sends per step, with h shards a rank and n scalars in a block: 4h(n − nᵣ) + 4(p − 1)nᵣ bytes at first, nᵣ ≈ n/p; then the
/// same for the tail alone, and h(M − M_r) + (p − 1)M_r with M ≈ n/8 + 4S·parameters (``TwoSidedSigns``).
/// State: m, v and the count of steps, everywhere; n scalars of error a shard and n/S a chunk.
public final class OneBitAdam: GradientStrategy {
  /// The name in configurations.
  public static let name = "onebit-adam"
  /// What it does.
  public static let help = "Adam that says its momentum in signs, once its second moment is frozen (1-bit Adam)"
  /// The norm of what it returns is that of an update.
  public static let allowsClipping = false

  /// Every worker compresses its own momentum.
  public let grain = GradientGrain.shards
  /// All of them.
  public private(set) var ownedParameters = 0..<0
  private let freezeStep: Int
  private var adam = Adam()
  /// Exact sums of all buckets, then of the tail alone.
  private var sum: TreeSum?
  private var tail: TreeSum?
  private var signs: TwoSidedSigns?
  private var shards = 1
  private var first = Storage(zeros: 0)
  private var second = Storage(zeros: 0)
  /// Steps with exact gradients so far.
  private let exactSteps = Storage(zeros: 1)

  /// Reads the length of the exact phase.
  public init(options: inout Options) throws(ConfigurationError) {
    freezeStep = try options.integer(
      "freeze-step", default: 100_000, in: 1...1 << 24, unit: "steps",
      "steps with exact gradients, after which the second moment is frozen")
  }

  /// Plain SGD, which applies what comes out; throws unless Adam is configured.
  public func rule(for configured: any UpdateRule) throws(ConfigurationError) -> any UpdateRule {
    guard let adam = configured as? Adam else {
      throw ConfigurationError(
        "strategy \(OneBitAdam.name) does the work of adam and cannot go with \(type(of: configured).name); "
          + "set optimizer.name: adam")
    }
    self.adam = adam
    return SGD(weightDecay: adam.weightDecay)
  }

  /// Moments, errors, and messages of a bit a scalar.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    let (weights, shards, held) = (share.weightBytes, share.tree.shards, share.shards.count)
    if shards == 1 { return StrategyBytes(remembered: 2 * weights) }
    return StrategyBytes(
      remembered: (2 + held) * weights + held * weights / shards,
      working: weights / 32 * (held + 1) + weights / 32 * shards / share.ranks)
  }

  /// Makes room for moments and errors.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    ownedParameters = 0..<plan.layout.parameterCount
    shards = plan.tree.shards
    sum = TreeSum(plan, plan.buckets, of: grain)
    tail = TreeSum(plan, [plan.tail], of: grain)
    first = Storage(zeros: ownedParameters.count)
    second = Storage(zeros: ownedParameters.count)
    if shards > 1 { signs = try TwoSidedSigns(plan) }
  }

  private var isFrozen: Bool { Int(exactSteps.base[0]) >= freezeStep }
  /// With one worker, what is exact stays exact.
  private var compresses: Bool { isFrozen && shards > 1 }

  /// Starts the sum of a bucket; once momenta are compressed, of the tail alone.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    if !compresses {
      try sum?.start(bucket, blocks)
    } else if bucket == 0 {
      try tail?.start(0, blocks)
    }
  }

  /// Moves the sums along.
  public func poll() throws(CommunicationError) { try compresses ? tail?.poll() : sum?.poll() }

  /// Moves the moments; the first block holds m / (√v + ε) and the sums of the tail.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    let (m, v, count) = (first.base, second.base, ownedParameters.count)
    if compresses, let signs {
      try tail?.finish()
      let share = Float((1 - adam.beta1) * Double(shards))
      for (block, error) in zip(blocks, signs.workerErrors) {
        OneBitAdam.add(m, Float(adam.beta1), block.base, share, to: error.base, count)
      }
      try signs.mean(into: m, mask: v)
    } else {
      try sum?.finish()
      OneBitAdam.average(blocks[0].base, into: m, Float(adam.beta1), Float(1 - adam.beta1), count)
      if !isFrozen {
        OneBitAdam.averageSquares(blocks[0].base, into: v, Float(adam.beta2), Float(1 - adam.beta2), count)
        exactSteps.base[0] += 1
      }
    }
    OneBitAdam.divide(m, v, epsilon: Float(adam.epsilon), into: blocks[0].base, count)
    return blocks[0]
  }

  /// Moments and errors.
  public var memory: [StrategyMemory] {
    let moments = [("first-moment", first), ("second-moment", second), ("exact-steps", exactSteps)]
    return moments.map { StrategyMemory($0.0, of: .everyone, $0.1) } + (signs?.memory ?? [])
  }

  /// The bytes of exact sums, then those of signs and the tail.
  public func bytesSent(step: Int) -> Int? {
    if step < freezeStep || shards == 1 { return sum?.bytesSent }
    guard let tail, let signs else { return nil }
    return tail.bytesSent + signs.bytesSent
  }
}

// MARK: - Loops

extension OneBitAdam {
  /// m ← keep · m + fresh · g.
  @inline(never)
  private static func average(
    _ g: UnsafePointer<Float>, into m: UnsafeMutablePointer<Float>, _ keep: Float, _ fresh: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      m[i] = keep * m[i] + fresh * g[i]
      i &+= 1
    }
  }

  /// v ← keep · v + fresh · g².
  @inline(never)
  private static func averageSquares(
    _ g: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, _ keep: Float, _ fresh: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      v[i] = keep * v[i] + fresh * g[i] * g[i]
      i &+= 1
    }
  }

  /// e ← e + (keep · m + fresh · g).
  @inline(never)
  private static func add(
    _ m: UnsafePointer<Float>, _ keep: Float, _ g: UnsafePointer<Float>, _ fresh: Float,
    to e: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      e[i] += keep * m[i] + fresh * g[i]
      i &+= 1
    }
  }

  /// u ← m / (√v + ε), 0 where both are 0.
  @inline(never)
  private static func divide(
    _ m: UnsafePointer<Float>, _ v: UnsafePointer<Float>, epsilon: Float, into u: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      // v is never below zero; saying so keeps the root from calling the C library.
      u[i] = m[i] == 0 ? 0 : m[i] / ((v[i] < 0 ? 0 : v[i]).squareRoot() + epsilon)
      i &+= 1
    }
  }
}

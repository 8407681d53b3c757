import Communication
import Configuration
import Tensors

/// DiLoCo in fragments: layers meet in turn, a few at a time, while training goes on.
///
/// Douillard et al. 2025, "Streaming DiLoCo with overlapping communication".  Layer l of the model, statistics included,
/// belongs to fragment l mod `fragments`, the paper's strided pattern with one layer, here the parameters of one module, in the
/// place of three blocks.  Every `period`/`fragments` steps it is the next fragment's turn.  Its mean Δ is taken over the weights
/// `delay` steps (τ) before the turn and travels meanwhile; at the turn the outer optimizer of `diloco` moves the global
/// fragment and each worker takes θ_i ← (1 − α)·θ + α·θ_i, α being `mixing`.  Defaults of delay and mixing are torchft's, 0 and
/// 0; the paper overlaps with α = 0.5.  With one fragment, no delay and no mixing it is `diloco` to the bit.
///
/// Deviation: Δ travels in Float32, not in the paper's four bits.
///
/// Sends fragment f's n_f weights and m_f statistics as 4·(n_f + m_f)·(k + 1)·(p − 1)/p bytes with k subtrees a rank and p
/// ranks, all in the step after which its mean starts, so that the peak is a part of diloco's.  State: θ with the statistics,
/// and u, the same on all ranks.  A checkpoint first completes the mean that is under way and the outer step with it, which
/// nobody reads before the turn; a run that goes on only merges.
public final class StreamingDiLoCo: ReplicaStrategy {
  /// The name in configurations.
  public static let name = "streaming-diloco"
  /// What it does.
  public static let help = "diloco for some layers at a time, overlapped with training"

  /// Steps between two fragments' turns.
  private let interval: Int
  private let fragmentCount: Int
  private let delay: Int
  private let mixing: Float
  private let settings: OuterOptimizer.Settings
  private var outer: OuterOptimizer?
  private var aside: Consensus?
  /// The ranges of each fragment, by number.
  private var fragments: [[Int]] = []

  /// Reads how a period is divided.
  public init(options: inout Options) throws(ConfigurationError) {
    let period = try options.integer(
      "period", default: 48, in: 1...1 << 30, unit: "steps", "steps in which every fragment meets once")
    fragmentCount = try options.integer(
      "fragments", default: 4, in: 1...1 << 20, unit: "fragments", "parts of the model that meet in turn")
    delay = try options.integer(
      "delay", default: 0, in: 0...1 << 30, unit: "steps", "steps for which a fragment's mean is under way")
    mixing = Float(
      try options.number(
        "mixing", default: 0, in: .fractionBelowOne, "part of its own weights that a worker keeps at a meeting"))
    settings = try OuterOptimizer.Settings(&options)
    interval = period / fragmentCount
    try options.require(
      period % fragmentCount == 0, key: "period",
      "a period of \(period) steps is no multiple of \(fragmentCount) fragments; every fragment takes as many steps")
    try options.require(
      delay < interval, key: "delay",
      "a delay of \(delay) steps does not end before the next fragment's turn; "
        + "it must be below period/fragments, \(interval)")
  }

  /// The outer optimizer and the mean that is evaluated.
  public func bytes(_ share: RankShare) -> StrategyBytes {
    var bytes = OuterOptimizer.bytes(share)
    bytes.working += Consensus.bytes(share)
    return bytes
  }

  /// Cuts the model and makes room for the global one.
  public func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    let ranges = StreamingDiLoCo.ranges(plan.layout, fragments: fragmentCount)
    var next = 0
    fragments = ranges.map { ranges in
      defer { next += ranges.count }
      return Array(next..<next + ranges.count)
    }
    outer = try OuterOptimizer(settings, plan, replicas, ranges.flatMap { $0 })
    aside = try Consensus(plan.aside, replicas)
  }

  /// Ranges of the vector of weights, then states that move, fragment by fragment; neighbours of one kind are one range.
  static func ranges(_ layout: ParameterLayout, fragments: Int) -> [[Range<Int>]] {
    let weights = layout.parameterCount
    let parts =
      layout.parameters.map { ($0.name, $0.range) }
      + layout.states.filter { $0.range.upperBound <= layout.movingStateCount }.map {
        ($0.name, weights + $0.range.lowerBound..<weights + $0.range.upperBound)
      }
    var layers: [Substring] = []
    var ranges = [[Range<Int>]](repeating: [], count: fragments)
    for (name, range) in parts {
      let layer = name[..<(name.lastIndex(of: ".") ?? name.startIndex)]
      if !layers.contains(layer) { layers.append(layer) }
      let fragment = (layers.firstIndex(of: layer) ?? 0) % fragments
      if let last = ranges[fragment].last, last.upperBound == range.lowerBound, range.lowerBound != weights {
        ranges[fragment][ranges[fragment].count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges[fragment].append(range)
      }
    }
    return ranges
  }

  /// Begins with the global model that all have.
  public func start() throws(CommunicationError) { outer?.begin() }

  /// Moves the fragment under way along.
  public func poll() throws(CommunicationError) { try outer?.poll() }

  /// Starts a fragment's mean, merges it, or both.
  public func endStep(_ step: Int) throws(CommunicationError) {
    guard let outer else { return }
    if let fragment = departing(step) { try outer.start(fragments[fragment]) }
    if (step + 1) % interval == 0 {
      try outer.finish()
      outer.merge(fragments[fragment(ofTurn: (step + 1) / interval)], mixing: mixing)
    }
  }

  /// The fragment whose mean starts after a step.
  private func departing(_ step: Int) -> Int? {
    let turn = step + 1 + delay
    return turn % interval == 0 ? fragment(ofTurn: turn / interval) : nil
  }

  /// Turns count from 1.
  private func fragment(ofTurn turn: Int) -> Int { (turn - 1) % fragmentCount }

  /// θ and u.
  public var memory: [StrategyMemory] { outer?.memory ?? [] }

  /// The mean of all workers, once the global model has what is under way.
  public func consensus(into store: ParameterStore) throws(CommunicationError) {
    try outer?.finish()
    try aside?.mean(into: store)
  }

  /// The bytes of the fragment whose mean starts after the step.
  public func bytesSent(step: Int) -> Int? {
    departing(step).map { outer?.bytesSent(fragments[$0]) ?? 0 } ?? 0
  }
}

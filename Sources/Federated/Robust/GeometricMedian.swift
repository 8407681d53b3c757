import Configuration
import Tensors

/// The point with the least sum of weighted distances to the updates, by smoothed Weiszfeld steps from the weighted mean:
/// β_k = α_k / max(10⁻⁵, ‖z − x_k‖), z = Σ β x / Σ β, with α the clients' shares of samples (Pillutla, Kakade, Harchaoui,
/// IEEE TSP 2022, algorithm 2, "RFA").
///
/// At most 4 steps, fewer when the objective falls by less than 10⁻⁶ of itself.  Sums are Float64 in client order.
/// Cost: two passes over all updates a step.
public struct GeometricMedian: RobustRule {
  /// Steps at most.
  public let steps: Int

  /// At most `steps` steps.
  public init(steps: Int = 4) {
    precondition(steps >= 1, "\(steps) steps")
    self.steps = steps
  }

  /// Its name and options.
  public static let kind = RobustRuleKind(
    "geometric-median", "takes the point with the least sum of distances to the changes"
  ) {
    (options) throws(ConfigurationError) in
    GeometricMedian(steps: try options.integer("steps", default: 4, in: 1...10_000, "Weiszfeld steps at most"))
  }

  /// One update is enough.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(1, of: clients, because: "a median of something")
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    scratch.prepareCentre(set)
    let (centre, scores) = (scratch.centre, scratch.scores)
    let total = Double(set.weights.reduce(0, +))
    for client in 0..<set.clients { scores[client] = Double(set.weights[client]) / total }
    average(set, scratch, workers)
    var objective = measure(set, scratch, workers, total)
    for _ in 0..<steps {
      for client in 0..<set.clients {
        scores[client] = Double(set.weights[client]) / total / max(1e-5, scores[client])
      }
      average(set, scratch, workers)
      let previous = objective
      objective = measure(set, scratch, workers, total)
      if abs(previous - objective) < 1e-6 * objective { break }
    }
    for i in 0..<set.count { result[i] = Float(centre[i]) }
  }

  /// centre ← Σ scores · x / Σ scores.
  private func average(_ set: UpdateSet, _ scratch: RobustScratch, _ workers: Workers) {
    var sum = 0.0
    for client in 0..<set.clients { sum += scratch.scores[client] }
    let total = sum
    workers.run { worker in
      let part = workers.part(worker, of: set.count, grain: Reductions.block)
      guard let centre = scratch.centre.baseAddress else { return }
      for first in stride(from: part.lowerBound, to: part.upperBound, by: Reductions.block) {
        let count = min(Reductions.block, part.upperBound - first)
        (centre + first).update(repeating: 0, count: count)
        for client in 0..<set.clients {
          GeometricMedian.add(
            set.updates[client] + first, scratch.scores[client] / total, to: centre + first, count: count)
        }
      }
    }
  }

  /// scores ← ‖centre − x‖; the objective Σ α ‖centre − x‖.
  private func measure(_ set: UpdateSet, _ scratch: RobustScratch, _ workers: Workers, _ total: Double) -> Double {
    workers.run { worker in
      guard let centre = scratch.centre.baseAddress else { return }
      for client in stride(from: worker, to: set.clients, by: workers.count) {
        scratch.scores[client] =
          GeometricMedian.squaredDistance(set.updates[client], centre, set.count).squareRoot()
      }
    }
    var objective = 0.0
    for client in 0..<set.clients { objective += Double(set.weights[client]) / total * scratch.scores[client] }
    return objective
  }

  @inline(never)
  private static func add(
    _ x: UnsafePointer<Float>, _ share: Double, to centre: UnsafeMutablePointer<Double>, count: Int
  ) {
    var i = 0
    while i < count {
      centre[i] += share * Double(x[i])
      i &+= 1
    }
  }

  @inline(never)
  private static func squaredDistance(_ x: UnsafePointer<Float>, _ centre: UnsafePointer<Double>, _ count: Int)
    -> Double
  {
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(centre))
    var sums = SIMD8<Double>.zero
    var i = 0
    while i &+ 8 <= count {
      let difference =
        SIMD8<Double>(left.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
        - right.loadUnaligned(fromByteOffset: i &* 8, as: SIMD8<Double>.self)
      sums += difference * difference
      i &+= 8
    }
    var total = sums.sum()
    while i < count {
      let difference = Double(x[i]) - centre[i]
      total += difference * difference
      i &+= 1
    }
    return total
  }
}

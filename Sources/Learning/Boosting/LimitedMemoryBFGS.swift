/// Minimises a smooth function of few variables in Float64: L-BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4).
///
/// Steps fulfil the weak Wolfe conditions (decrease 10⁻⁴, slope 0.9), found by doubling and bisection (Lewis and Overton 2013,
/// algorithm 4.6): less exact than the usual search for the strong ones, and never in want of a special case.  A function of its
/// inputs alone.  Memory: 2 · `memory` vectors; cost of an iteration beside the function: 4 · `memory` · n multiplications.
package struct LimitedMemoryBFGS: Sendable {
  /// Iterations at most.
  package let iterations: Int
  /// Pairs of steps and changes of the gradient that are remembered.
  package var memory = 10
  /// It ends where no slope is steeper,
  package var slope = 1e-6
  /// or an iteration gains less than this share of the value.
  package var gain = 1e-9

  /// At most so many iterations.
  package init(iterations: Int) { self.iterations = iterations }

  /// A point with the function's value and slope there.
  private struct Point {
    var x: [Double]
    var value: Double
    var gradient: [Double]
  }

  /// Where the function is least, from a start; `evaluate` returns the value at a point and writes the gradient.  Ends where it
  /// is where no step leads further down.
  package func minimise<Failure: Error>(
    from start: [Double], _ evaluate: ([Double], inout [Double]) throws(Failure) -> Double
  ) throws(Failure) -> (x: [Double], value: Double, iterations: Int) {
    func point(_ x: [Double]) throws(Failure) -> Point {
      var gradient = [Double](repeating: 0, count: x.count)
      let value = try evaluate(x, &gradient)
      return Point(x: x, value: value, gradient: gradient)
    }
    var present = try point(start)
    var pairs: [(step: [Double], change: [Double], inverse: Double)] = []
    var done = 0
    while done < iterations, (present.gradient.map(abs).max() ?? 0) > slope {
      let direction = LimitedMemoryBFGS.direction(present.gradient, pairs)
      let descent = LimitedMemoryBFGS.dot(direction, present.gradient)
      guard descent < 0 else { break }
      // The first direction has no length of its own.
      let first = pairs.isEmpty ? min(1, 1 / LimitedMemoryBFGS.dot(present.gradient, present.gradient).squareRoot()) : 1
      var (least, most, length) = (0.0, Double.infinity, first)
      var next: Point?
      for _ in 0..<60 {
        let tried = try point(zip(present.x, direction).map { $0 + length * $1 })
        if !(tried.value <= present.value + 1e-4 * length * descent) {
          most = length
        } else if LimitedMemoryBFGS.dot(direction, tried.gradient) < 0.9 * descent {
          least = length
          next = tried
        } else {
          next = tried
          break
        }
        length = most.isFinite ? (least + most) / 2 : 2 * least
      }
      guard let next else { break }
      done += 1
      let step = zip(next.x, present.x).map { $0 - $1 }
      let change = zip(next.gradient, present.gradient).map { $0 - $1 }
      let product = LimitedMemoryBFGS.dot(step, change)
      if product > 1e-14 * LimitedMemoryBFGS.dot(change, change) {
        if pairs.count == memory { pairs.removeFirst() }
        pairs.append((step, change, 1 / product))
      }
      let gained = present.value - next.value
      let size = max(abs(present.value), abs(next.value), .leastNormalMagnitude)
      present = next
      if gained <= gain * size { break }
    }
    return (present.x, present.value, done)
  }

  /// −H g by the two loops over remembered pairs, H₀ scaled by the last one.
  private static func direction(
    _ gradient: [Double], _ pairs: [(step: [Double], change: [Double], inverse: Double)]
  ) -> [Double] {
    var direction = gradient.map { -$0 }
    var shares: [Double] = []
    for pair in pairs.reversed() {
      let share = pair.inverse * dot(pair.step, direction)
      add(-share, pair.change, to: &direction)
      shares.append(share)
    }
    if let last = pairs.last {
      let scale = 1 / (last.inverse * dot(last.change, last.change))
      for index in direction.indices { direction[index] *= scale }
    }
    for (pair, share) in zip(pairs, shares.reversed()) {
      add(share - pair.inverse * dot(pair.change, direction), pair.step, to: &direction)
    }
    return direction
  }

  private static func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }

  private static func add(_ factor: Double, _ x: [Double], to y: inout [Double]) {
    for index in y.indices { y[index] += factor * x[index] }
  }
}

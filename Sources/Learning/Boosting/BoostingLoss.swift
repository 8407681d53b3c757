import Glibc
import Layers
import Tensors

/// What boosting makes smaller, in Float64: what the ensemble F begins with, what each round's units are fitted to, and how far
/// they count (Emami and Martínez-Muñoz, GB-NN).
///
/// Targets `y` are values, ±1 for two classes, or a row of zeros with a one.  All arrays are rows of ``outputs`` numbers.
package enum BoostingLoss: Sendable, Hashable {
  /// Σ (y − F)².
  case squares(values: Int)
  /// log(1 + exp(−2 y F)): the second of two classes has probability sigmoid(2 F).
  case twoClasses
  /// Cross-entropy of softmax(F).
  case classes(Int)

  /// The loss of an objective; nil where there is none for it.
  init?(_ objective: Objective, outputs: Int) {
    switch objective.loss {
    case .meanSquaredError: self = .squares(values: outputs)
    case .crossEntropy where objective.target.rank == 0 && objective.smoothing == 0:
      self = outputs == 2 ? .twoClasses : .classes(outputs)
    case .crossEntropy, .binaryCrossEntropy: return nil
    }
  }

  /// Numbers that F has for a sample.
  package var outputs: Int {
    switch self {
    case .squares(let values): values
    case .twoClasses: 1
    case .classes(let count): count
    }
  }

  /// F before the first round, from the means of the targets.
  package func beginning(_ means: [Double]) -> [Double] {
    switch self {
    case .squares: means
    // Far from where one class is all there is.
    case .twoClasses: means.map { atanh(max(-1 + 1e-9, min(1 - 1e-9, $0))) }
    case .classes: means.map { _ in 0 }
    }
  }

  /// r: y − F, 2y / (1 + exp(2 y F)), or y − softmax(F); one row.
  package func residual(
    _ y: UnsafePointer<Double>, _ f: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>
  ) {
    switch self {
    case .squares: for i in 0..<outputs { r[i] = y[i] - f[i] }
    case .twoClasses: r[0] = 2 * y[0] / (1 + exp(2 * y[0] * f[0]))
    case .classes:
      let largest = (0..<outputs).reduce(-Double.infinity) { max($0, f[$1]) }
      var sum = 0.0
      for i in 0..<outputs {
        r[i] = exp(f[i] - largest)
        sum += r[i]
      }
      for i in 0..<outputs { r[i] = y[i] - r[i] / sum }
    }
  }

  /// What a row adds to both sides of the quotient that says how far new outputs `f` count: a Newton step along them.
  package func newton(
    _ y: UnsafePointer<Double>, _ r: UnsafePointer<Double>, _ f: UnsafePointer<Double>
  ) -> (slope: Double, curvature: Double) {
    var (slope, curvature) = (0.0, 0.0)
    for i in 0..<outputs {
      slope += r[i] * f[i]
      switch self {
      case .squares: curvature += f[i] * f[i]
      case .twoClasses: curvature += r[i] * f[i] * f[i] * (2 * y[i] - r[i])
      case .classes: curvature += f[i] * f[i] * (y[i] - r[i]) * (1 - y[i] + r[i])
      }
    }
    return (slope, curvature)
  }

  /// ρ from sums over all samples: the shrinkage for squares, else times the Newton step; 0 where nothing bends.
  package func factor(shrinkage: Double, slope: Double, curvature: Double) -> Double {
    if case .squares = self { return shrinkage }
    return curvature > 0 ? shrinkage * slope / curvature : 0
  }

  /// The loss of a row, and whether its class is right.
  package func loss(_ y: UnsafePointer<Double>, _ f: UnsafePointer<Double>) -> (value: Double, isRight: Bool) {
    switch self {
    case .squares: return ((0..<outputs).reduce(0) { $0 + (y[$1] - f[$1]) * (y[$1] - f[$1]) }, false)
    case .twoClasses:
      let margin = 2 * y[0] * f[0]
      return (max(0, -margin) + log1p(exp(-abs(margin))), margin > 0)
    case .classes:
      var best = 0
      for i in 1..<outputs where f[i] > f[best] { best = i }
      let sum = (0..<outputs).reduce(0) { $0 + exp(f[$1] - f[best]) }
      let own = (0..<outputs).reduce(0) { $0 + y[$1] * f[$1] }
      return (log(sum) + f[best] - own, y[best] == 1)
    }
  }
}

import Tensors

/// Scores of weights that need no more than the store and gradients; greater is kept.  Of synaptic flow see ``SynapticFlow``.
public enum PruningScores {
  /// |θ|.
  public static func magnitude(
    _ parameters: UnsafePointer<Float>, count: Int, into scores: UnsafeMutablePointer<Double>
  ) {
    for i in 0..<count { scores[i] = Double(abs(parameters[i])) }
  }

  /// Uniform numbers, a function of the seed and the place.
  public static func random(seed: UInt64, count: Int, into scores: UnsafeMutablePointer<Double>) {
    var random = RandomStream(seed: seed, .selection, layer: NoiseStream.pruning)
    for i in 0..<count { scores[i] = random.uniformDouble() }
  }

  /// |θ ∂L/∂θ| divided by its sum (SNIP: Lee, Ajanthan, Torr, ICLR 2019, equation 5), in one step, on 10 samples a class.
  public static func connectionSensitivity(
    _ parameters: UnsafePointer<Float>, gradient: UnsafePointer<Float>, count: Int,
    into scores: UnsafeMutablePointer<Double>
  ) {
    var sum = 0.0
    for i in 0..<count {
      scores[i] = abs(Double(parameters[i]) * Double(gradient[i]))
      sum += scores[i]
    }
    if sum > 0 { for i in 0..<count { scores[i] /= sum } }
  }

  /// θ · Hg divided by |Σ θ Hg| + 10⁻¹⁰ (GraSP: Wang, Zhang, Grosse, ICLR 2020, equation 8), greatest kept as its code does.
  ///
  /// Hg is the central difference of gradients (∇L(θ + hg) − ∇L(θ − hg)) / 2h with h‖g‖ = 10⁻³ ‖θ‖, in place of the paper's
  /// second backward pass.  `gradient` writes ∇L at the parameters it is given, for the loss of logits / 200; it is called
  /// three times.  Allocates; pruning happens once.
  public static func gradientFlow<Failure: Error>(
    _ parameters: UnsafePointer<Float>, count: Int, into scores: UnsafeMutablePointer<Double>,
    gradient: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    let (point, direction) = (Storage(zeros: count), Storage(zeros: count))
    let (above, below) = (Storage(zeros: count), Storage(zeros: count))
    try gradient(parameters, direction.base)
    let norm = Reductions.squares(direction.base, count).squareRoot()
    if norm == 0 { return scores.update(repeating: 0, count: count) }
    let step = 1e-3 * Reductions.squares(parameters, count).squareRoot() / norm
    for (sign, result) in [(1.0, above), (-1, below)] {
      for i in 0..<count { point.base[i] = Float(Double(parameters[i]) + sign * step * Double(direction.base[i])) }
      try gradient(point.base, result.base)
    }
    var sum = 0.0
    for i in 0..<count {
      let curvature = (Double(above.base[i]) - Double(below.base[i])) / (2 * step)
      scores[i] = Double(parameters[i]) * curvature
      sum += scores[i]
    }
    for i in 0..<count { scores[i] /= abs(sum) + 1e-10 }
  }
}

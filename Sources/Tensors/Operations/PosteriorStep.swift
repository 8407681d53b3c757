/// z_k = a û + b z_{k−1} + √c ε, drawn given a guess û of what z_k was made of; without ε the mean.
struct PosteriorStep: Operation {
  let name = "posterior step"
  let step: Int
  let count: Int
  let hasNoise: Bool
  var inPlace: [(input: Int, output: Int)] { [(0, 0), (1, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 3 * count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (guess, before, signals, noises) = (at.inputs[0], at.inputs[1], at.inputs[2], at.inputs[3])
      let (noise, after) = (at.inputs.last ?? at.inputs[0], at.outputs[0])
      return { run in
        let factors = PosteriorFactors(
          before: (Double(run[signals][step &- 1]), Double(run[noises][step &- 1])),
          after: (Double(run[signals][step]), Double(run[noises][step])))
        let (a, b, c) = (Float(factors.guess), Float(factors.state), Float(factors.variance.squareRoot()))
        let z = run[after]
        Pointwise.map(run[guess], run[before], into: z, count) { a * $0 + b * $1 }
        if hasNoise { Pointwise.map(z, run[noise], into: z, count) { $0 + c * $1 } }
      }
    }
  }
}

/// The Gaussian of z_t given z_{t−1}, which is noisier, and what both were made of (Li, Teh, Pascanu 2025): mean
/// a u + b z_{t−1}, variance c.
public struct PosteriorFactors: Sendable {
  /// a.
  public let guess: Double
  /// b.
  public let state: Double
  /// c.
  public let variance: Double

  /// √ᾱ and √(1 − ᾱ) of t − 1 and of t; ᾱ rises.
  public init(before: (signal: Double, noise: Double), after: (signal: Double, noise: Double)) {
    let ratio = before.signal / after.signal
    let (noiseBefore, noiseAfter) = (before.noise * before.noise, after.noise * after.noise)
    guess = after.signal * (1 - ratio * ratio) / noiseBefore
    state = ratio * noiseAfter / noiseBefore
    variance = noiseAfter * (1 - ratio * ratio) / noiseBefore
  }
}

extension Recorder {
  /// z at step `step` ≥ 1 of a schedule, given a guess of what it was made of and z one step before, where `signals` and
  /// `noises` hold √ᾱ and √(1 − ᾱ) of all steps: its mean, or with standard normal `noise` a sample.  No gradient flows.
  public func posteriorStep(
    _ guess: Value, _ z: Value, step: Int, signals: Value, noises: Value, noise: Value? = nil
  ) -> Value {
    precondition(shape(guess) == shape(z) && step >= 1 && step < shape(signals).count, "step \(step) of \(shape(z))")
    return append(
      PosteriorStep(step: step, count: shape(z).count, hasNoise: noise != nil),
      [guess, z, signals, noises] + (noise.map { [$0] } ?? []), [.new(shape(z))])[0]
  }
}

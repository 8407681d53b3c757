#if canImport(Glibc)
  import Glibc
#endif

/// A learned schedule of noise over times of [0, 1] (Kingma et al. 2021, appendix H; Li, Teh, Pascanu 2025): ᾱ(t) = σ(−γ(t)),
///
///     γ(t) = γ₀ + (γ₁ − γ₀)(1 − g(t)),  g(t) = (f(t) − f(0)) / (f(1) − f(0)),  f(t) = Σ p₂ σ(p₁ t + b)
///
/// with p = log(1 + e^w) positive, so that ᾱ rises from σ(−γ₁) to σ(−γ₀).  Makes √ᾱ, √(1 − ᾱ) and √SNR′ of each time, where
/// SNR = ᾱ / (1 − ᾱ) = e^−γ and SNR′ = (γ₁ − γ₀) g′ e^−γ, all in Float64.
struct NoiseSchedule: Operation {
  let name = "noise schedule"
  let rows: Int
  let hidden: Int
  /// γ₀ < γ₁.
  let ends: (first: Double, last: Double)

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 40 * rows * hidden }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (times, weights) = (at.inputs[0], at.inputs[1])
      let (signal, noise, slope) = (at.outputs[0], at.outputs[1], at.outputs[2])
      return { run in
        let curve = MonotoneCurve(run[weights], hidden)
        for row in 0..<rows {
          let point = SchedulePoint(curve, Double(run[times][row]), ends)
          run[signal][row] = Float(point.signal)
          run[noise][row] = Float(point.noise)
          run[slope][row] = Float(point.slope)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    let gradients = call.outputs.map(recorder.gradient)
    let known = gradients.compactMap { $0 }
    guard !known.isEmpty, recorder.needsGradient(call.inputs[1]) else { return }
    let made = recorder.append(
      NoiseScheduleGradient(forward: self, has: gradients.map { $0 != nil }), call.inputs + known,
      [.new(recorder.shape(call.inputs[1]))])
    recorder.contribute(made[0], to: call.inputs[1])
  }
}

/// What the three outputs of a schedule say of its weights.
struct NoiseScheduleGradient: Operation {
  let name = "noise schedule gradient"
  let forward: NoiseSchedule
  /// Which of the outputs have gradients.
  let has: [Bool]

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (hidden, ends, has) = (forward.hidden, forward.ends, has)
    return Lowering { at in
      let (times, weights) = (at.inputs[0], at.inputs[1])
      var next = 2
      let places = has.map { has -> Operand? in
        defer { next += has ? 1 : 0 }
        return has ? at.inputs[next] : nil
      }
      return { run in
        let curve = MonotoneCurve(run[weights], hidden)
        let range = ends.last - ends.first
        var sums = MonotoneCurve.Gradient(hidden)
        // What is said of f(0) and f(1), which every time shares.
        var (atZero, atOne) = (0.0, 0.0)
        for row in 0..<forward.rows {
          let slopes = places.map { $0.map { Double(run[$0][row]) } ?? 0 }
          let time = Double(run[times][row])
          let point = SchedulePoint(curve, time, ends)
          let dgamma =
            0.5
            * (slopes[1] * point.noise * point.share - slopes[0] * point.signal * (1 - point.share)
              - slopes[2] * point.slope)
          let dg = -range * dgamma
          let drise = 0.5 * slopes[2] * point.slope / point.rise
          let dspan = -(dg * point.g + drise * point.rise) / curve.span
          atOne += dspan
          atZero -= dspan + dg / curve.span
          curve.descend(at: time, value: dg / curve.span, slope: drise / curve.span, into: &sums)
        }
        curve.descend(at: 0, value: atZero, slope: 0, into: &sums)
        curve.descend(at: 1, value: atOne, slope: 0, into: &sums)
        curve.write(sums, run[weights], into: run[at.outputs[0]])
      }
    }
  }
}

/// A schedule at one time.
private struct SchedulePoint {
  let g: Double
  /// g′.
  let rise: Double
  /// ᾱ.
  let share: Double
  /// √ᾱ, √(1 − ᾱ), √SNR′.
  let signal: Double
  let noise: Double
  let slope: Double

  init(_ curve: MonotoneCurve, _ time: Double, _ ends: (first: Double, last: Double)) {
    let (value, derivative) = curve.at(time)
    g = (value - curve.start) / curve.span
    rise = derivative / curve.span
    let gamma = ends.first + (ends.last - ends.first) * (1 - g)
    share = 1 / (1 + exp(gamma))
    signal = share.squareRoot()
    noise = (1 / (1 + exp(-gamma))).squareRoot()
    slope = ((ends.last - ends.first) * rise * exp(-gamma)).squareRoot()
  }
}

/// f(t) = Σ p₂ σ(p₁ t + b).
private struct MonotoneCurve {
  struct Gradient {
    var scale: [Double]
    var shift: [Double]
    var height: [Double]

    init(_ hidden: Int) {
      scale = [Double](repeating: 0, count: hidden)
      (shift, height) = (scale, scale)
    }
  }

  let scale: [Double]
  let shift: [Double]
  let height: [Double]
  /// f(0), and f(1) − f(0).
  private(set) var start = 0.0
  private(set) var span = 1.0

  /// `weights` is `[3, hidden]`: what makes p₁, b, what makes p₂.
  init(_ weights: UnsafePointer<Float>, _ hidden: Int) {
    scale = (0..<hidden).map { MonotoneCurve.positive(weights[$0]) }
    shift = (0..<hidden).map { Double(weights[hidden + $0]) }
    height = (0..<hidden).map { MonotoneCurve.positive(weights[2 * hidden + $0]) }
    start = at(0).value
    span = at(1).value - start
  }

  private static func positive(_ w: Float) -> Double { max(Double(w), 0) + log1p(exp(-abs(Double(w)))) }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  func at(_ time: Double) -> (value: Double, derivative: Double) {
    var (value, derivative) = (0.0, 0.0)
    for h in scale.indices {
      let s = MonotoneCurve.sigmoid(scale[h] * time + shift[h])
      value += height[h] * s
      derivative += height[h] * scale[h] * s * (1 - s)
    }
    return (value, derivative)
  }

  /// Adds what is said of f(t) and of f′(t) to the gradients of p₁, b and p₂.
  func descend(at time: Double, value: Double, slope: Double, into sums: inout Gradient) {
    for h in scale.indices {
      let s = MonotoneCurve.sigmoid(scale[h] * time + shift[h])
      let bend = s * (1 - s)
      sums.height[h] += value * s + slope * scale[h] * bend
      let inner = value * height[h] * bend + slope * height[h] * scale[h] * bend * (1 - 2 * s)
      sums.scale[h] += inner * time + slope * height[h] * bend
      sums.shift[h] += inner
    }
  }

  /// The gradients of the weights.
  func write(_ sums: Gradient, _ weights: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
    let hidden = scale.count
    for h in 0..<hidden {
      target[h] = Float(sums.scale[h] * MonotoneCurve.sigmoid(Double(weights[h])))
      target[hidden + h] = Float(sums.shift[h])
      target[2 * hidden + h] = Float(sums.height[h] * MonotoneCurve.sigmoid(Double(weights[2 * hidden + h])))
    }
  }
}

extension Recorder {
  /// √ᾱ, √(1 − ᾱ) and √SNR′ of times `[rows]`, each `[rows]`, by a schedule of weights `[3, hidden]` that runs from
  /// ᾱ = σ(−γ₁) at 0 to σ(−γ₀) at 1.
  public func noiseSchedule(
    _ times: Value, _ weights: Value, from last: Double, to first: Double
  ) -> (signal: Value, noise: Value, slope: Value) {
    precondition(first < last && shape(weights)[0] == 3, "a schedule of \(shape(weights)) from \(last) to \(first)")
    let rows = shape(times).count
    let made = append(
      NoiseSchedule(rows: rows, hidden: shape(weights)[1], ends: (first, last)), [times, weights],
      [.new([rows]), .new([rows]), .new([rows])])
    return (made[0], made[1], made[2])
  }
}

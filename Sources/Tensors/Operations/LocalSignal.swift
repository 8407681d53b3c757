/// The gradient that moves x towards t by itself, a f(x − t), or that of a sign alone, a sign(x): a is a factor times the run's
/// target weight.
struct LocalSignal: Operation {
  /// f.
  enum Function: Sendable {
    case difference, sign
  }

  let function: Function
  let factor: Float
  /// Whether there is a second input, t.
  let hasTarget: Bool
  let name = "local signal"
  var inPlace: [(input: Int, output: Int)] { hasTarget ? [(1, 0), (0, 0)] : [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 2 * outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, t, y) = (at.inputs[0], at.inputs[hasTarget ? 1 : 0], at.outputs[0])
      return { run in
        let scale = factor * run.targetWeight
        switch (function, hasTarget) {
        case (.difference, _): LocalSignals.difference(run[x], run[t], by: scale, into: run[y], count)
        case (.sign, true): LocalSignals.sign(run[x], run[t], by: scale, into: run[y], count)
        case (.sign, false): LocalSignals.sign(run[x], by: scale, into: run[y], count)
        }
      }
    }
  }
}

extension Recorder {
  /// The gradient of ½ ‖x − t‖² with respect to x, times `factor` and the run's target weight; no gradient flows through it.
  public func squaredDistanceGradient(_ x: Value, _ t: Value, factor: Float = 1) -> Value {
    localSignal(.difference, x, t, factor)
  }

  /// The gradient of Σ |x − t| with respect to x, times `factor` and the run's target weight; no gradient flows through it.
  public func distanceGradient(_ x: Value, _ t: Value, factor: Float = 1) -> Value {
    localSignal(.sign, x, t, factor)
  }

  /// sign(x), 0 for 0, times `factor` and the run's target weight; no gradient flows through it.
  public func sign(_ x: Value, factor: Float = 1) -> Value { localSignal(.sign, x, nil, factor) }

  private func localSignal(_ function: LocalSignal.Function, _ x: Value, _ t: Value?, _ factor: Float) -> Value {
    precondition(t.map { shape($0).count == shape(x).count } ?? true, "\(shape(t!)) as the target of \(shape(x))")
    return append(
      LocalSignal(function: function, factor: factor, hasTarget: t != nil), [x] + (t.map { [$0] } ?? []),
      [.new(shape(x))])[0]
  }
}

/// The loss Σ x² over all scalars; in training its gradient comes out of the same pass.
struct SquaredNorm: Operation {
  let name = "squared norm"
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool
  var inPlace: [(input: Int, output: Int)] { differentiates ? [(0, 1)] : [] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 3 * inputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = inputs[0].shape.count
    return Lowering { at in
      let (x, report) = (at.inputs[0], at.outputs[0])
      let gradient = differentiates ? at.outputs[1] : x
      return { run in
        run.doubles(report)[0] = Reductions.squares(run[x], count)
        if differentiates {
          Elementwise.scale(run[x], by: 2 * run.targetWeight * weight, into: run[gradient], count)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

extension Recorder {
  /// Σ x² over all scalars, reported as a Float64 sum; the gradient is scaled by `weight` and the run's target weight.
  public func squaredNorm(_ x: Value, weight: Float = 1) -> Value {
    append(
      SquaredNorm(weight: weight, differentiates: mode == .training), [x],
      [.existing(metrics(1))] + (mode == .training ? [.new(shape(x))] : []))[0]
  }
}

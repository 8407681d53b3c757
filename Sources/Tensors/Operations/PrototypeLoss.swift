/// The loss Σ ‖x − c_y‖² / width over rows whose class y has a prototype c_y; in training its gradient comes out of the same
/// pass.
struct PrototypeLoss: Operation {
  let name = "prototype loss"
  let rows: Int
  let width: Int
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool
  var inPlace: [(input: Int, output: Int)] { differentiates ? [(0, 1)] : [] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 4 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering(scratchBytes: width * 4) { at in
      let (values, targets, table) = (at.inputs[0], at.inputs[1], at.inputs[2])
      let (report, scratch) = (at.outputs[0], at.scratch)
      let gradient = differentiates ? at.outputs[1] : scratch
      return { run in
        let factor = 2 * run.targetWeight * weight / Float(width)
        let (classes, differences) = (run.integers(targets), run[scratch])
        var sum = 0.0
        var row = 0
        while row < rows {
          let prototype = run[table] + Int(classes[row]) &* (width &+ 1)
          let slope = run[gradient] + row &* width
          if prototype[width] != 0 {
            TargetLosses.differences(run[values] + row &* width, prototype, into: differences, width)
            sum += Reductions.squares(differences, width)
            if differentiates { Elementwise.scale(differences, by: factor, into: slope, width) }
          } else if differentiates {
            slope.update(repeating: 0, count: width)
          }
          row &+= 1
        }
        run.doubles(report)[0] = sum / Double(width)
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

extension Recorder {
  /// The mean square of what lies between each row and the prototype of its class (Tan et al., AAAI 2022, equation 8, with
  /// squares in place of distances as their program has them), reported as a Float64 sum over rows.
  ///
  /// `x` is `[rows, width]`, `targets` holds an Int32 class for each row, and `prototypes` is a `[classes, width + 1]` table
  /// whose last column is 0 for a class without a prototype, whose rows count nothing.  The gradient is scaled by `weight` and
  /// the run's target weight.
  public func prototypeLoss(_ x: Value, _ targets: Value, _ prototypes: Value, weight: Float = 1) -> Value {
    let (rows, width) = (shape(x)[0], shape(x)[-1])
    precondition(
      shape(x).count == rows * width && self[targets].type == .int32 && shape(targets).count == rows
        && shape(prototypes)[-1] == width + 1,
      "prototypes \(shape(prototypes)) and classes \(shape(targets)) for \(shape(x))")
    return append(
      PrototypeLoss(rows: rows, width: width, weight: weight, differentiates: mode == .training),
      [x, targets, prototypes], [.existing(metrics(1))] + (mode == .training ? [.new(shape(x))] : []))[0]
  }
}

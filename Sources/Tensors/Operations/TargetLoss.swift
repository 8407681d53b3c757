/// A loss that compares every scalar with a target and adds up; in training its gradient comes out of the same pass.
struct TargetLoss: Operation {
  /// Which.
  enum Function: String, Sendable {
    case meanSquaredError = "mean squared error"
    case binaryCrossEntropy = "binary cross entropy"
  }

  let function: Function
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool
  var name: String { function.rawValue }
  var inPlace: [(input: Int, output: Int)] { differentiates ? [(0, 1)] : [] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    (function == .meanSquaredError ? 4 : 40) * inputs[0].shape.count
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = inputs[0].shape.count
    return Lowering(scratchBytes: TargetLosses.block * 4) { at in
      let (values, targets, report, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let gradient = differentiates ? at.outputs[1] : scratch
      return { run in
        var sum = 0.0
        var first = 0
        while first < count {
          let size = min(TargetLosses.block, count &- first)
          let (x, t, work) = (run[values] + first, run[targets] + first, run[scratch])
          switch function {
          case .meanSquaredError:
            TargetLosses.differences(x, t, into: work, size)
            sum += Reductions.squares(work, size)
            if differentiates {
              Elementwise.scale(work, by: 2 * run.targetWeight * weight, into: run[gradient] + first, size)
            }
          case .binaryCrossEntropy:
            TargetLosses.binaryCrossEntropy(x, t, into: work, size)
            sum += Reductions.sum(work, size)
            if differentiates {
              TargetLosses.binaryCrossEntropyGradient(
                x, t, weight: run.targetWeight * weight, into: run[gradient] + first, size)
            }
          }
          first &+= size
        }
        run.doubles(report)[0] = sum
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

extension Recorder {
  /// Σ (x − t)² over all scalars, reported as a Float64 sum.  With a target weight of one over the target scalars of the
  /// step, sum · weight is PyTorch's mean, and so is the gradient, which `weight` scales too.
  public func meanSquaredError(_ x: Value, _ targets: Value, weight: Float = 1) -> Value {
    targetLoss(.meanSquaredError, x, targets, weight)
  }

  /// Σ −t log p − (1 − t) log(1 − p) over all scalars for p = sigmoid(logits) and targets of 0…1, reported as a Float64
  /// sum; weights as for `meanSquaredError`.
  public func binaryCrossEntropy(_ logits: Value, _ targets: Value, weight: Float = 1) -> Value {
    targetLoss(.binaryCrossEntropy, logits, targets, weight)
  }

  private func targetLoss(_ function: TargetLoss.Function, _ x: Value, _ targets: Value, _ weight: Float) -> Value {
    precondition(
      self[targets].type == .float32 && shape(x).count == shape(targets).count,
      "targets \(shape(targets)) for \(shape(x))")
    return append(
      TargetLoss(function: function, weight: weight, differentiates: mode == .training), [x, targets],
      [.existing(metrics(1))] + (mode == .training ? [.new(shape(x))] : []))[0]
  }
}

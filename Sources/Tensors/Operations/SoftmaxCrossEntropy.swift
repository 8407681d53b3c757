/// The loss −Σ target · log softmax(logits), over rows; in training its gradient comes out of the same pass.
///
/// Reports the sum of the losses and the number of rows whose largest logit is the target's.
struct SoftmaxCrossEntropy: Operation {
  let name = "softmax cross entropy"
  let rows: Int
  let classes: Int
  let smoothing: Float
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool
  var inPlace: [(input: Int, output: Int)] { differentiates ? [(0, 1)] : [] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 12 * rows * classes }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let block = min(rows, SoftmaxLoss.block(classes))
    let noteBytes = (block * 16 + 63) & ~63
    return Lowering(scratchBytes: noteBytes + (differentiates ? 0 : block * classes * 4)) { at in
      let (logits, targets, report, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let gradient = differentiates ? at.outputs[1] : scratch
      return { run in
        var sums = SoftmaxLoss.Sums()
        let notes = run.bytes(scratch).assumingMemoryBound(to: (offset: Double, hit: Double).self)
        var first = 0
        while first < rows {
          let start = first &* classes
          let work =
            differentiates
            ? run[gradient] + start
            : (run.bytes(scratch) + noteBytes).assumingMemoryBound(to: Float.self)
          SoftmaxLoss.rows(
            run[logits] + start, run.integers(targets) + first, into: work, rows: min(block, rows &- first),
            classes: classes, smoothing: smoothing, weight: differentiates ? run.targetWeight * weight : nil,
            notes: notes, &sums)
          first &+= block
        }
        run.doubles(report)[0] = sums.loss
        run.doubles(report)[1] = sums.correct
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

extension Recorder {
  /// Cross entropy of softmax over the last axis: `logits` is `[…, classes]`, `targets` holds an Int32 class for each row, or
  /// −1 for a row that has none: it adds neither loss nor gradient, and is never right.
  ///
  /// Reports two sums over rows: losses, and rows whose largest logit (the first of several; none where a logit is NaN) is
  /// the target's.  `smoothing` s is PyTorch's: the target is 1 − s of the class and s / classes of all.  The gradient is
  /// scaled by `weight` and the run's target weight.
  public func softmaxCrossEntropy(
    _ logits: Value, _ targets: Value, smoothing: Float = 0, weight: Float = 1
  ) -> Value {
    let classes = shape(logits)[-1]
    precondition(
      self[targets].type == .int32 && shape(targets).count * classes == shape(logits).count,
      "classes \(shape(targets)) for logits \(shape(logits))")
    precondition(smoothing >= 0 && smoothing <= 1, "label smoothing of \(smoothing)")
    let operation = SoftmaxCrossEntropy(
      rows: shape(targets).count, classes: classes, smoothing: smoothing, weight: weight,
      differentiates: mode == .training)
    return append(
      operation, [logits, targets], [.existing(metrics(2))] + (mode == .training ? [.new(shape(logits))] : []))[0]
  }
}

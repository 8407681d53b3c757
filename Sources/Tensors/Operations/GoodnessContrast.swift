#if canImport(Glibc)
  import Glibc
#endif

/// Binary cross entropy of Σ h² − θ of rows in a positive view and in negative ones; the gradients come out of the same pass.
struct GoodnessContrast: Operation {
  let name = "goodness contrast"
  let rows: Int
  let width: Int
  let threshold: Float
  /// The positive view and the negative ones.
  let views: Int
  var inPlace: [(input: Int, output: Int)] { (1...views).map { ($0, $0) } }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 4 * views * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (targets, report) = (at.inputs[0], at.outputs[0])
      return { run in
        var (loss, correct) = (0.0, 0.0)
        for row in 0..<rows {
          if run.integers(targets)[row] == SoftmaxLoss.unlabelled {
            for view in 1...views { (run[at.outputs[view]] + row &* width).update(repeating: 0, count: width) }
            continue
          }
          var (positive, isFirst) = (0.0, true)
          for view in 1...views {
            let (h, gradient) = (run[at.inputs[view]] + row &* width, run[at.outputs[view]] + row &* width)
            let logit = Reductions.squares(h, width) - Double(threshold)
            let label = view == 1 ? 1.0 : 0.0
            let share = view == 1 ? 1 : 1 / Double(views &- 1)
            loss += share * (max(logit, 0) - label * logit + log1p(exp(-abs(logit))))
            let slope = share * (1 / (1 + exp(-logit)) - label)
            Elementwise.scale(h, by: 2 * run.targetWeight * Float(slope), into: gradient, width)
            if view == 1 { positive = logit } else if !(positive > logit) { isFirst = false }
          }
          correct += isFirst ? 1 : 0
        }
        run.doubles(report)[0] = loss
        run.doubles(report)[1] = correct
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    for view in 1...views { recorder.contribute(call.outputs[view], to: call.inputs[view]) }
  }
}

extension Recorder {
  /// Binary cross entropy of Σ h² − θ of each row (Hinton 2022, section 2): as positive in the first of `views`, and as negative in
  /// each of the others, whose mean counts.  Views are `[…, width]`; `targets` holds −1 for rows that do not count.
  ///
  /// Reports two sums over rows: losses, and rows of a larger Σ h² in the first view than in any other.  Gradients are scaled by
  /// the run's target weight.
  public func goodnessContrast(_ views: [Value], _ targets: Value, threshold: Float) -> Value {
    precondition(mode == .training && views.count > 1, "a contrast of \(views.count) views for \(mode)")
    let shape = shape(views[0])
    precondition(
      self[targets].type == .int32 && self.shape(targets).count * shape[-1] == shape.count
        && views.allSatisfy { self.shape($0) == shape }, "views \(shape) with targets \(self.shape(targets))")
    let operation = GoodnessContrast(
      rows: shape.count / shape[-1], width: shape[-1], threshold: threshold, views: views.count)
    return append(
      operation, [targets] + views, [.existing(metrics(2))] + views.map { _ in .new(shape) })[0]
  }
}

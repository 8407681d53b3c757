import Glibc

/// y[r] = 0 where softmax(logits[r]) gives the row's class more than a limit, else 1.
struct UnlearnedRows: Operation {
  let name = "unlearned rows"
  let rows: Int
  let classes: Int
  let limit: Double

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    // p > limit where Σ exp(zⱼ − z of the class) < 1 / limit; no difference overflows into a wrong answer.
    let bound = 1 / limit
    return Lowering { at in
      let (logits, targets, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let (z, label) = (run[logits] + row &* classes, Int(run.integers(targets)[row]))
          var sum = 0.0
          for index in 0..<classes { sum += exp(Double(z[index]) - Double(z[label])) }
          run[y][row] = sum < bound ? 0 : 1
        }
      }
    }
  }
}

extension Recorder {
  /// Which rows of `logits`, `[rows, classes]`, do not yet give their Int32 class a probability above `limit`: `[rows]` of ones
  /// and zeros, through which no gradient flows.  Cost: an exponential a logit.
  public func unlearnedRows(_ logits: Value, _ targets: Value, limit: Double) -> Value {
    let (rows, classes) = (shape(logits)[0], shape(logits)[-1])
    precondition(
      shape(logits).rank == 2 && self[targets].type == .int32 && shape(targets).count == rows && limit > 0,
      "rows of \(shape(logits)) with classes \(shape(targets)) and limit \(limit)")
    return append(
      UnlearnedRows(rows: rows, classes: classes, limit: limit), [detach(logits), targets], [.new([rows])])[0]
  }
}

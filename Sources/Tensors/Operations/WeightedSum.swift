/// The loss Σ wᵢ yᵢ with given weights: the gradient of y is w.
struct WeightedSum: Operation {
  let name = "weighted sum"

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = inputs[0].shape.count
    return Lowering { at in
      let (y, weights, sum) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in run.doubles(sum)[0] = Reductions.dot(run[y], run[weights], count) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    let dy = recorder.append(WeightedSumGradient(), [call.inputs[1]], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dy[0], to: call.inputs[0])
  }
}

/// dy = w, scaled as every loss is.
struct WeightedSumGradient: Operation {
  let name = "weighted sum gradient"

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (weights, dy) = (at.inputs[0], at.outputs[0])
      return { run in Elementwise.scale(run[weights], by: run.targetWeight, into: run[dy], count) }
    }
  }
}

extension Recorder {
  /// The loss Σ wᵢ yᵢ, reported as a Float64 sum; `y` and `weights` have as many scalars.
  public func weightedSum(_ y: Value, _ weights: Value) -> Value {
    precondition(shape(y).count == shape(weights).count, "weights \(shape(weights)) for \(shape(y))")
    return append(WeightedSum(), [y, weights], [.existing(metrics(1))])[0]
  }
}

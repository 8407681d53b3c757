/// z = x + y where y is added to every sample of x, such as positions to a batch of sequences.
struct AddToSamples: Operation {
  let name = "add to samples"
  let samples: Int
  let size: Int
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { samples * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y, z) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for sample in 0..<samples {
          Elementwise.add(run[x] + sample &* size, run[y], run[z] + sample &* size, size)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    recorder.contribute(gradient, to: call.inputs[0])
    guard recorder.needsGradient(call.inputs[1]) else { return }
    let slot = recorder.gradientSlot(of: call.inputs[1])
    recorder.append(ColumnSum(rows: samples, columns: size, accumulates: slot.accumulates), [gradient], [slot.output])
    recorder.filled(slot)
  }
}

/// y = a x.
struct Scale: Operation {
  let name = "scale"
  let factor: Float
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Elementwise.scale(run[x], by: factor, into: run[y], count) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(Scale(factor: factor), [gradient], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

extension Recorder {
  /// x + y for every sample: `y` has the shape of the last axes of `x`, as positions `[time, width]` of `[batch, time, width]`.
  public func add(_ x: Value, toEachSample y: Value) -> Value {
    precondition(
      Array(shape(x).dimensions.suffix(shape(y).rank)) == shape(y).dimensions && shape(y).count > 0,
      "adding \(shape(y)) to the samples of \(shape(x))")
    let size = shape(y).count
    return append(AddToSamples(samples: shape(x).count / size, size: size), [x, y], [.new(shape(x))])[0]
  }

  /// a x.
  public func scale(_ x: Value, by factor: Float) -> Value {
    append(Scale(factor: factor), [x], [.new(shape(x))])[0]
  }
}

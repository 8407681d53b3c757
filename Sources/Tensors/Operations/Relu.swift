/// y = max(x, 0); NaN stays NaN.
struct Relu: Operation {
  let name = "relu"
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    if outputs[0].type == .bfloat16 {
      return RoundedMap.lowering(count) { at in
        let x = at.inputs[0]
        return { run, start, count, target in Activations.relu(run[x] + start, into: target, count) }
      }
    }
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Activations.relu(run[x], into: run[y], count) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      ReluGradient(), [call.outputs[0], gradient], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy where y > 0.
struct ReluGradient: Operation {
  let name = "relu gradient"
  var inPlace: [(input: Int, output: Int)] { [(1, 0), (0, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    if outputs[0].type == .bfloat16 {
      return RoundedMap.lowering(count) { at in
        let (y, dy) = (at.inputs[0], at.inputs[1])
        return { run, start, count, target in
          Activations.reluGradient(run[y] + start, run[dy] + start, into: target, count)
        }
      }
    }
    return Lowering { at in
      let (y, dy, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in Activations.reluGradient(run[y], run[dy], into: run[dx], count) }
    }
  }
}

extension Recorder {
  /// max(x, 0), element by element.
  public func relu(_ x: Value) -> Value { append(Relu(), [x], [.new(shape(x))])[0] }
}

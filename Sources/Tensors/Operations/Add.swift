/// z = x + y, element by element.
struct Add: Operation {
  let name = "add"
  var inPlace: [(input: Int, output: Int)] { [(0, 0), (1, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, y, z) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in Elementwise.add(run[x], run[y], run[z], count) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    recorder.contribute(gradient, to: call.inputs[0])
    recorder.contribute(gradient, to: call.inputs[1])
  }
}

/// y ← y + x, for the second and later contributions to the gradient of a parameter.
struct Accumulate: Operation {
  let name = "accumulate"

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Elementwise.add(run[y], run[x], run[y], count) }
    }
  }
}

/// y ← x.
struct Copy: Operation {
  let name = "copy"

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in run[y].update(from: run[x], count: count) }
    }
  }
}

/// y ← a constant.
struct Fill: Operation {
  let name = "fill"
  let value: Float

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let y = at.outputs[0]
      return { run in run[y].update(repeating: value, count: count) }
    }
  }
}

extension Recorder {
  /// The sum of two values of one shape, such as a residual connection.
  public func add(_ x: Value, _ y: Value) -> Value {
    precondition(shape(x) == shape(y), "adding \(shape(x)) and \(shape(y))")
    return append(Add(), [x, y], [.new(shape(x))])[0]
  }
}

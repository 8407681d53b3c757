/// y = (x − mean) / √(variance + ε) · weight + bias over the last axis (Ba, Kiros, Hinton 2016); the second output holds
/// mean and 1/√(variance + ε) of each row.
struct LayerNorm: Operation {
  let name = "layer norm"
  let rows: Int
  let width: Int
  let epsilon: Float
  let isAffine: Bool
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { output == 0 && !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 8 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let isRounded = outputs[0].type == .bfloat16
    return Lowering { at in
      let (x, y, saved) = (at.inputs[0], at.outputs[0], at.outputs[1])
      let (weight, bias) = isAffine ? (at.inputs[1], at.inputs[2]) : (x, x)
      return { run in
        let (weight, bias) = isAffine ? (UnsafePointer(run[weight]), UnsafePointer(run[bias])) : (nil, nil)
        if isRounded {
          LayerNormalisation.forward(
            run[x], weight: weight, bias: bias, rows: rows, width: width, epsilon: Double(epsilon),
            into: run.halves(y), saved: run[saved])
        } else {
          LayerNormalisation.forward(
            run[x], weight: weight, bias: bias, rows: rows, width: width, epsilon: Double(epsilon), into: run[y],
            saved: run[saved])
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let slots = isAffine ? call.inputs[1...2].map(recorder.gradientSlot) : []
    let made = recorder.append(
      LayerNormGradient(rows: rows, width: width, accumulates: slots.map(\.accumulates)),
      [gradient, call.inputs[0], call.outputs[1]] + (isAffine ? [call.inputs[1]] : []),
      [.new(recorder.shape(call.inputs[0]))] + slots.map(\.output))
    for slot in slots { recorder.filled(slot) }
    recorder.contribute(made[0], to: call.inputs[0])
  }
}

/// Gradients of a layer normalisation, in one pass over memory.
struct LayerNormGradient: Operation {
  let name = "layer norm gradient"
  let rows: Int
  let width: Int
  /// For weight and bias, whether to add to what is there; empty without them.
  let accumulates: [Bool]
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 16 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let isAffine = !accumulates.isEmpty
    let sumBytes = PoolPlan.aligned(2 * width * 8)
    return Lowering(scratchBytes: sumBytes + 2 * width * 4) { at in
      let (dy, x, saved, dx) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      let weight = isAffine ? at.inputs[3] : x
      let (sums, partial) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let (width, targets, accumulates) = (width, at.outputs, accumulates)
      return { run in
        LayerNormalisation.backward(
          run[dy], run[x], weight: isAffine ? UnsafePointer(run[weight]) : nil, saved: run[saved], rows: rows,
          width: width, into: run[dx], partial: run[partial], sums: run.doubles(sums))
        var index = 0
        while index < accumulates.count {
          let (target, sums) = (run[targets[index &+ 1]], run.doubles(sums) + index &* width)
          let keep: Float = accumulates[index] ? 1 : 0
          var i = 0
          while i < width {
            target[i] = (keep == 0 ? 0 : target[i]) + Float(sums[i])
            i &+= 1
          }
          index &+= 1
        }
      }
    }
  }
}

extension Recorder {
  /// Layer normalisation over the last axis: `x` is `[…, width]`, the result too.  `weight` and `bias` come together.
  public func layerNorm(_ x: Value, weight: Value? = nil, bias: Value? = nil, epsilon: Float = 1e-5) -> Value {
    let width = shape(x)[-1]
    precondition((weight == nil) == (bias == nil), "layer norm with a weight or a bias alone")
    for value in [weight, bias] {
      if let value { precondition(shape(value).count == width, "layer norm of \(shape(x)) by \(shape(value))") }
    }
    let rows = shape(x).count / width
    return append(
      LayerNorm(rows: rows, width: width, epsilon: epsilon, isAffine: weight != nil),
      [x] + [weight, bias].compactMap { $0 }, [.new(shape(x)), .new([rows, 2])])[0]
  }
}

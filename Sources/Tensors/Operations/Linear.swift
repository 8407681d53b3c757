/// y = x Wᵀ + b over the rows of x.
struct Linear: Operation {
  let name = "linear"
  let rows: Int
  let inputs: Int
  let outputs: Int
  let hasBias: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * rows * self.inputs * self.outputs
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    if inputs[0].type == .bfloat16 {
      return BFloat16Product(m: rows, n: self.outputs, k: self.inputs, transposeB: true, hasBias: hasBias).lowering()
    }
    let product = MatrixProduct(compute)
    return Lowering { at in
      let (x, weight, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      let bias = hasBias ? at.inputs[2] : x
      return { run in
        product(
          run[x], lda: self.inputs, run[weight], transposeB: true, ldb: self.inputs, into: run[y], ldc: self.outputs,
          m: rows, n: self.outputs, k: self.inputs)
        if hasBias { Rows.add(run[bias], toRowsOf: run[y], rows: rows, columns: self.outputs) }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    let (x, weight) = (recorder.original(of: call.inputs[0]), recorder.original(of: call.inputs[1]))
    guard let unrounded = recorder.gradient(of: call.outputs[0]) else { return }
    let gradient = recorder.factor(unrounded)
    if recorder.needsGradient(weight) {
      let slot = recorder.gradientSlot(of: weight)
      recorder.append(
        LinearWeightGradient(rows: rows, inputs: inputs, outputs: outputs, accumulates: slot.accumulates),
        [gradient, call.inputs[0]],
        [slot.output])
      recorder.filled(slot)
    }
    if hasBias, recorder.needsGradient(call.inputs[2]) {
      let slot = recorder.gradientSlot(of: call.inputs[2])
      recorder.append(
        ColumnSum(rows: rows, columns: outputs, accumulates: slot.accumulates), [gradient], [slot.output])
      recorder.filled(slot)
    }
    if recorder.needsGradient(x) {
      let returning = recorder.feedback(for: weight).map(recorder.factor) ?? call.inputs[1]
      let dx = recorder.append(
        LinearInputGradient(rows: rows, inputs: inputs, outputs: outputs), [gradient, returning],
        [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
  }
}

/// dx = dy W.
struct LinearInputGradient: Operation {
  let name = "linear input gradient"
  let rows: Int
  let inputs: Int
  let outputs: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * rows * self.inputs * self.outputs
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    if inputs[0].type == .bfloat16 {
      return BFloat16Product(m: rows, n: self.inputs, k: self.outputs).lowering()
    }
    let product = MatrixProduct(compute)
    return Lowering { at in
      let (dy, weight, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        product(
          run[dy], lda: self.outputs, run[weight], ldb: self.inputs, into: run[dx], ldc: self.inputs, m: rows,
          n: self.inputs, k: self.outputs)
      }
    }
  }
}

/// dW = dyᵀ x, the sum over rows.
struct LinearWeightGradient: Operation {
  let name = "linear weight gradient"
  let rows: Int
  let inputs: Int
  let outputs: Int
  let accumulates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * rows * self.inputs * self.outputs
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    if inputs[0].type == .bfloat16 {
      return BFloat16Product(
        m: self.outputs, n: self.inputs, k: rows, transposeA: true, accumulates: accumulates
      ).lowering()
    }
    let product = MatrixProduct(compute)
    return Lowering { at in
      let (dy, x, dweight) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        product(
          run[dy], transposeA: true, lda: self.outputs, run[x], ldb: self.inputs, into: run[dweight], ldc: self.inputs,
          m: self.outputs, n: self.inputs, k: rows, beta: accumulates ? 1 : 0)
      }
    }
  }
}

/// The sum over rows: the gradient of a bias.
struct ColumnSum: Operation {
  let name = "bias gradient"
  let rows: Int
  let columns: Int
  let accumulates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { rows * columns }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let isRounded = inputs[0].type == .bfloat16
    return Lowering { at in
      let (dy, dbias) = (at.inputs[0], at.outputs[0])
      return { run in
        if isRounded {
          Rows.sum(run.halves(dy), into: run[dbias], rows: rows, columns: columns, accumulate: accumulates)
        } else {
          Rows.sum(run[dy], into: run[dbias], rows: rows, columns: columns, accumulate: accumulates)
        }
      }
    }
  }
}

extension Recorder {
  /// x Wᵀ + b; `x` is `[…, inputs]`, `weight` is `[outputs, inputs]`, `bias` is `[outputs]`, the result `[…, outputs]`.
  public func linear(_ x: Value, _ weight: Value, bias: Value? = nil) -> Value {
    let (inputs, outputs) = (shape(weight)[1], shape(weight)[0])
    precondition(shape(x)[-1] == inputs, "linear of \(shape(x)) with weights \(shape(weight))")
    let rows = shape(x).count / inputs
    let result = Shape(shape(x).dimensions.dropLast() + [outputs])
    return append(
      Linear(rows: rows, inputs: inputs, outputs: outputs, hasBias: bias != nil),
      [factor(x), factor(weight)] + (bias.map { [$0] } ?? []),
      [.new(result)])[0]
  }
}

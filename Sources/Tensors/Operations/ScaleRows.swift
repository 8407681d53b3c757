/// y[r] = a[r] x[r] over the rows of x.
struct ScaleRows: Operation {
  let name = "scale rows"
  let rows: Int
  let size: Int
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { rows * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, factors, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          Elementwise.scale(run[x] + row &* size, by: run[factors][row], into: run[y] + row &* size, size)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let (x, factors) = (call.inputs[0], call.inputs[1])
    if recorder.needsGradient(x) {
      let dx = recorder.append(self, [gradient, factors], [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
    if recorder.needsGradient(factors) {
      let dfactors = recorder.append(
        RowProducts(rows: rows, size: size), [gradient, x], [.new(recorder.shape(factors))])
      recorder.contribute(dfactors[0], to: factors)
    }
  }
}

/// z[r] = Σ x[r] y[r].
struct RowProducts: Operation {
  let name = "row products"
  let rows: Int
  let size: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 2 * rows * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y, z) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          run[z][row] = Float(Reductions.dot(run[x] + row &* size, run[y] + row &* size, size))
        }
      }
    }
  }
}

extension Recorder {
  /// Each row of `x`, `[rows, …]`, times its own factor, `[rows]`.
  public func scaleRows(_ x: Value, by factors: Value) -> Value {
    let rows = shape(x)[0]
    precondition(shape(factors).count == rows, "factors \(shape(factors)) for the rows of \(shape(x))")
    return append(ScaleRows(rows: rows, size: shape(x).count / rows), [x, factors], [.new(shape(x))])[0]
  }
}

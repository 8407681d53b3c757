/// y = x / max(‖x‖, ε) over the last axis; the second output holds 1 / ‖x‖ of each row, 0 where that is not above ε.
struct L2Normalise: Operation {
  let name = "l2 normalise"
  let rows: Int
  let width: Int
  let epsilon: Float
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 3 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y, inverses) = (at.inputs[0], at.outputs[0], at.outputs[1])
      return { run in
        for row in 0..<rows {
          let start = row &* width
          let length = Float(Reductions.squares(run[x] + start, width).squareRoot())
          // Written so that a NaN spoils its row.
          let isShort = length <= epsilon
          Elementwise.scale(run[x] + start, by: 1 / (isShort ? epsilon : length), into: run[y] + start, width)
          run[inverses][row] = isShort ? 0 : 1 / length
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      L2NormaliseGradient(rows: rows, width: width), [gradient, call.outputs[0], call.outputs[1]],
      [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = (dy − y Σ y dy) / ‖x‖; 0 for rows that are too short.
struct L2NormaliseGradient: Operation {
  let name = "l2 normalise gradient"
  let rows: Int
  let width: Int
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 5 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, y, inverses, dx) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let start = row &* width
          let product = Float(Reductions.dot(run[dy] + start, run[y] + start, width))
          let inverse = run[inverses][row]
          Pointwise.map(run[dy] + start, run[y] + start, into: run[dx] + start, width) {
            ($0 - $1 * product) * inverse
          }
        }
      }
    }
  }
}

extension Recorder {
  /// Rows of length 1: x / max(‖x‖₂, ε) over the last axis, `[…, width]`, as PyTorch's `normalize`.
  ///
  /// Through rows no longer than ε no gradient flows, where PyTorch's is dy / ε: a row of zeros would get one of 10¹².
  public func l2Normalise(_ x: Value, epsilon: Float = 1e-12) -> Value {
    let width = shape(x)[-1]
    precondition(epsilon > 0 && width > 0, "rows \(shape(x)) of length at least \(epsilon)")
    let rows = shape(x).count / width
    return append(
      L2Normalise(rows: rows, width: width, epsilon: epsilon), [x], [.new(shape(x)), .new([rows])])[0]
  }
}

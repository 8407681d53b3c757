/// y = x / (√mean x² + ε) over each row, of which nothing is left but its direction.
struct RootMeanSquareNorm: Operation {
  let name = "root mean square norm"
  let rows: Int
  let size: Int
  let epsilon: Float
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 3 * rows * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let from = run[x] + row &* size
          let root = Float((Reductions.squares(from, size) / Double(size)).squareRoot())
          Elementwise.scale(from, by: 1 / (root + epsilon), into: run[y] + row &* size, size)
        }
      }
    }
  }
}

extension Recorder {
  /// Each sample divided by the root of its mean square (plus `epsilon`): `[rows, …]`, all of a row together.  For values
  /// through which no gradient flows.
  public func rootMeanSquareNorm(_ x: Value, epsilon: Float = 1e-8) -> Value {
    precondition(!needsGradient(x), "a root mean square norm of what parameters change; detach it")
    let rows = shape(x)[0]
    return append(
      RootMeanSquareNorm(rows: rows, size: shape(x).count / rows, epsilon: epsilon), [x], [.new(shape(x))])[0]
  }
}

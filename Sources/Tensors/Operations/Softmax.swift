/// y = e^x / Σ e^x over the last axis.
struct Softmax: Operation {
  let name = "softmax"
  let rows: Int
  let width: Int
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 12 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for row in 0..<rows { Softmax.row(run[x] + row &* width, into: run[y] + row &* width, width) }
      }
    }
  }

  /// One row; y may be x.  NaN is skipped by the maximum, but not by the sum.
  @inline(never)
  private static func row(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ width: Int) {
    var top = -Float.infinity
    var i = 0
    while i < width {
      top = x[i] > top ? x[i] : top
      i &+= 1
    }
    Pointwise.map(x, into: y, width) { Elementary.exp($0 - top) }
    Elementwise.scale(y, by: Float(1 / Reductions.sum(y, width)), into: y, width)
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      SoftmaxGradient(rows: rows, width: width), [call.outputs[0], gradient], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = y (dy − Σ y dy).
struct SoftmaxGradient: Operation {
  let name = "softmax gradient"
  let rows: Int
  let width: Int
  var inPlace: [(input: Int, output: Int)] { [(1, 0), (0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 4 * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (y, dy, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let (p, slope) = (run[y] + row &* width, run[dy] + row &* width)
          let mean = Float(Reductions.dot(p, slope, width))
          Pointwise.map(p, slope, into: run[dx] + row &* width, width) { $0 * ($1 - mean) }
        }
      }
    }
  }
}

extension Recorder {
  /// The shares e^x / Σ e^x over the last axis.
  public func softmax(_ x: Value) -> Value {
    let width = shape(x)[-1]
    return append(Softmax(rows: shape(x).count / width, width: width), [x], [.new(shape(x))])[0]
  }
}

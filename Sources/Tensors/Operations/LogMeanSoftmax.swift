#if canImport(Glibc)
  import Glibc
#endif

/// y = log of the mean of several softmaxes over the last axis.
struct LogMeanSoftmax: Operation {
  let name = "log mean softmax"
  let rows: Int
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 30 * inputs.count * rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let y = at.outputs[0]
      return { run in
        let logarithm = log(Float(at.inputs.count))
        for (place, x) in at.inputs.enumerated() {
          for row in 0..<rows {
            LogMeanSoftmax.add(run[x] + row &* width, to: run[y] + row &* width, width, isFirst: place == 0)
          }
        }
        var i = 0
        while i < rows &* width {
          run[y][i] -= logarithm
          i &+= 1
        }
      }
    }
  }

  /// y = log(e^y + softmax(x)), or log softmax(x); of logarithms, so that no share is lost that is too small for Float32.
  private static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ width: Int, isFirst: Bool) {
    var top = -Float.infinity
    for i in 0..<width where x[i] > top { top = x[i] }
    var total = 0.0
    for i in 0..<width { total += Double(Elementary.exp(x[i] - top)) }
    let all = top + Float(log(total))
    for i in 0..<width {
      let own = x[i] - all
      y[i] = isFirst ? own : max(y[i], own) + Elementary.logOnePlusExp(minusMagnitudeOf: y[i] - own)
    }
  }
}

extension Recorder {
  /// The logarithm of the mean of the values' softmaxes over the last axis, all of one shape: what cross entropy takes of an
  /// ensemble.  For predictions: no gradient flows through it.
  public func logMeanSoftmax(_ values: [Value]) -> Value {
    precondition(!values.isEmpty, "the mean of nothing")
    let shape = shape(values[0])
    precondition(values.allSatisfy { self.shape($0) == shape }, "the mean of \(values.map { self.shape($0) })")
    return append(LogMeanSoftmax(rows: shape.count / shape[-1], width: shape[-1]), values, [.new(shape)])[0]
  }
}

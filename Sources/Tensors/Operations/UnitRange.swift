/// Each sample moved and scaled so that its least scalar is 0 and its largest 1; zeros where all are the same.
struct UnitRange: Operation {
  let name = "unit range"
  let samples: Int
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 4 * samples * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        var sample = 0
        while sample < samples {
          UnitRange.scale(run[x] + sample &* width, into: run[y] + sample &* width, width)
          sample &+= 1
        }
      }
    }
  }

  @inline(never)
  private static func scale(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    var (least, largest) = (x[0], x[0])
    var i = 1
    while i < count {
      least = min(least, x[i])
      largest = max(largest, x[i])
      i &+= 1
    }
    let factor: Float = largest > least ? 1 / (largest - least) : 0
    i = 0
    while i < count {
      y[i] = (x[i] - least) * factor
      i &+= 1
    }
  }
}

extension Recorder {
  /// Each sample of `x`, moved and scaled to 0…1: targets for losses that take probabilities.  No gradient flows through it.
  public func unitRange(_ x: Value) -> Value {
    let samples = shape(x)[0]
    precondition(shape(x).count > 0 && !needsGradient(x), "the range of \(shape(x)), which no gradient flows through")
    return append(UnitRange(samples: samples, width: shape(x).count / samples), [x], [.new(shape(x))])[0]
  }
}

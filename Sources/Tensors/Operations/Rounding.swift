/// y = x rounded to bfloat16; `Recorder.factor` records it, and its gradient goes past it to x.
struct Rounding: Operation {
  let name = "round"

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let count = outputs[0].shape.count
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Roundings.round(run[x], into: run.halves(y), count) }
    }
  }
}

/// A function of scalars whose results are rounded while they are in the first-level cache.
enum RoundedMap {
  private static let block = 1024

  /// Calls `body` with a block's first scalar, its length, and where the Float32 results go.
  static func lowering(
    _ count: Int,
    _ body:
      @escaping @Sendable (_ at: Operands) -> (
        _ run: Run, _ start: Int, _ count: Int, _ target: UnsafeMutablePointer<Float>
      ) -> Void
  ) -> Lowering {
    Lowering(scratchBytes: block * 4) { at in
      let (kernel, y, scratch) = (body(at), at.outputs[0], at.scratch)
      return { run in
        let (target, y) = (run[scratch], run.halves(y))
        var start = 0
        while start < count {
          let length = min(block, count &- start)
          kernel(run, start, length, target)
          Roundings.round(target, into: y + start, length)
          start &+= length
        }
      }
    }
  }
}

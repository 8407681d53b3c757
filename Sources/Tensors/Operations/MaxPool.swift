/// y = the largest pixel under each window, per channel, with relu before it if `isRectified`; the second output holds
/// the tap of each largest pixel, one byte where windows are small.
struct MaxPool: Operation {
  let name = "max pool"
  let shape: PoolShape
  let isRectified: Bool

  /// Bytes of a tap's number; the largest number stands for none.
  var tapBytes: Int { shape.taps < 256 ? 1 : 4 }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.result.count * shape.taps }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let isSmall = tapBytes == 1
    return Lowering { at in
      let (x, y, taps) = (at.inputs[0], at.outputs[0], at.outputs[1])
      return { run in
        if isSmall {
          Pooling.largest(
            shape, run[x], rectified: isRectified, into: run[y],
            taps: run.bytes(taps).assumingMemoryBound(to: UInt8.self))
        } else {
          Pooling.largest(shape, run[x], rectified: isRectified, into: run[y], taps: run.integers(taps))
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(
      MaxPoolGradient(shape: shape, tapBytes: tapBytes), [gradient, call.outputs[1]], [.new(shape.image)])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy at the largest pixels.
struct MaxPoolGradient: Operation {
  let name = "max pool gradient"
  let shape: PoolShape
  let tapBytes: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.result.count * shape.taps }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let isSmall = tapBytes == 1
    return Lowering { at in
      let (dy, taps, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        if isSmall {
          Pooling.largestGradient(
            shape, run[dy], taps: run.bytes(taps).assumingMemoryBound(to: UInt8.self), into: run[dx])
        } else {
          Pooling.largestGradient(shape, run[dy], taps: run.integers(taps), into: run[dx])
        }
      }
    }
  }
}

extension Recorder {
  /// The largest pixel under each window, per channel: `[batch, height, width, channels]` to
  /// `[batch, …, …, channels]` with `Window.positions(along:)` pixels an edge.
  ///
  /// `stride` is the kernel where not given; padding is at most half the kernel and never the largest.  NaN counts as
  /// largest and takes the gradient.  `rectified` applies relu in the same pass.
  public func maxPool(
    _ x: Value, kernel: Int, stride: Int? = nil, padding: Int = 0, rectified: Bool = false
  ) -> Value {
    let pool = poolShape(x, kernel: kernel, stride: stride, padding: padding)
    let operation = MaxPool(shape: pool, isRectified: rectified)
    return append(
      operation, [x], [.new(pool.result), .opaque(pool.result, bytes: pool.result.count * operation.tapBytes)])[0]
  }
}

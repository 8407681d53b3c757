/// y = the mean of the pixels under each window, per channel.
struct AveragePool: Operation {
  let name = "average pool"
  let shape: PoolShape
  let countsPadding: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.result.count * shape.taps }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Pooling.mean(shape, run[x], countsPadding: countsPadding, into: run[y]) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(
      AveragePoolGradient(shape: shape, countsPadding: countsPadding), [gradient], [.new(shape.image)])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy shared among the pixels of each window.
struct AveragePoolGradient: Operation {
  let name = "average pool gradient"
  let shape: PoolShape
  let countsPadding: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.result.count * shape.taps }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in Pooling.meanGradient(shape, run[dy], countsPadding: countsPadding, into: run[dx]) }
    }
  }
}

/// y = the mean of all pixels, per channel.
struct GlobalAveragePool: Operation {
  let name = "global average pool"
  let batch: Int
  let pixels: Int
  let channels: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { inputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Pooling.globalMean(run[x], batch: batch, pixels: pixels, channels: channels, into: run[y]) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(
      GlobalAveragePoolGradient(batch: batch, pixels: pixels, channels: channels), [gradient],
      [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy / pixels.
struct GlobalAveragePoolGradient: Operation {
  let name = "global average pool gradient"
  let batch: Int
  let pixels: Int
  let channels: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { inputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in
        Pooling.globalMeanGradient(run[dy], batch: batch, pixels: pixels, channels: channels, into: run[dx])
      }
    }
  }
}

extension Recorder {
  /// The mean of the pixels under each window, per channel: `[batch, height, width, channels]` to
  /// `[batch, …, …, channels]`; zeros of the padding count if `countsPadding`, as is PyTorch's default.
  public func averagePool(
    _ x: Value, kernel: Int, stride: Int? = nil, padding: Int = 0, countsPadding: Bool = true
  ) -> Value {
    let pool = poolShape(x, kernel: kernel, stride: stride, padding: padding)
    return append(AveragePool(shape: pool, countsPadding: countsPadding), [x], [.new(pool.result)])[0]
  }

  /// The mean of all pixels, per channel: `[batch, height, width, channels]` to `[batch, channels]`.
  public func globalAveragePool(_ x: Value) -> Value {
    let image = shape(x)
    precondition(image.rank == 4, "global pooling of \(image), which is not [batch, height, width, channels]")
    return append(
      GlobalAveragePool(batch: image[0], pixels: image[1] * image[2], channels: image[3]), [x],
      [.new([image[0], image[3]])])[0]
  }
}

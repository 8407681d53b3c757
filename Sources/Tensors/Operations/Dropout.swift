/// y = x · mask / (1 − p), where a scalar's mask is 0 with probability p.
///
/// The mask is a function of seed, epoch, layer, the sample's key and the place in the sample, so that a sample gets the
/// same mask in whatever batch and on whatever rank it is computed.
struct Dropout: Operation {
  let name = "dropout"
  let samples: Int
  /// Scalars of a sample.
  let size: Int
  let probability: Float
  let layer: UInt64
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }
  var staysInStep: Bool { true }

  /// Philox blocks, of four words each, of a sample.
  var blocks: Int { (size + 3) / 4 }
  var maskBytes: Int { samples * blocks * 4 }
  private var threshold: UInt32 { UInt32((Double(probability) * 0x1p32).rounded()) }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { samples * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (blocks, threshold, scale) = (blocks, threshold, 1 / (1 - probability))
    return Lowering { at in
      let (x, y, mask) = (at.inputs[0], at.outputs[0], at.outputs[1])
      return { run in
        let key = RandomStream.key(seed: run.seed, .dropout, epoch: run.epoch, layer: layer)
        for sample in 0..<samples {
          let kept = run.bytes(mask) + sample &* blocks &* 4
          DropoutMask.fill(
            kept.assumingMemoryBound(to: UInt32.self), blocks: blocks, key: key, sample: run.sampleKeys[sample],
            threshold: threshold)
          DropoutMask.apply(
            kept.assumingMemoryBound(to: UInt8.self), scale: scale, to: run[x] + sample &* size,
            into: run[y] + sample &* size, size)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      DropoutGradient(samples: samples, size: size, blocks: blocks, scale: 1 / (1 - probability)),
      [gradient, call.outputs[1]], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy · mask / (1 − p).
struct DropoutGradient: Operation {
  let name = "dropout gradient"
  let samples: Int
  let size: Int
  let blocks: Int
  let scale: Float
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { samples * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, mask, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for sample in 0..<samples {
          let kept = (run.bytes(mask) + sample &* blocks &* 4).assumingMemoryBound(to: UInt8.self)
          DropoutMask.apply(
            kept, scale: scale, to: run[dy] + sample &* size, into: run[dx] + sample &* size, size)
        }
      }
    }
  }
}

extension Recorder {
  /// Drops scalars with probability 0 ≤ p < 1 and scales the others by 1/(1 − p) (Srivastava et al. 2014, inverted);
  /// nothing happens in evaluation.  The scalars of `x` are those of the batch's samples, in order.
  public func dropout(_ x: Value, probability: Float) -> Value {
    precondition(probability >= 0 && probability < 1, "dropout with probability \(probability)")
    let layer = nextRandomLayer()
    guard mode == .training, probability > 0 else { return x }
    precondition(shape(x).count % batch == 0, "dropout of \(shape(x)) with \(batch) samples")
    let operation = Dropout(samples: batch, size: shape(x).count / batch, probability: probability, layer: layer)
    return append(operation, [x], [.new(shape(x)), .opaque(shape(x), bytes: operation.maskBytes)])[0]
  }
}

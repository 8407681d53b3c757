/// Turns every sample of channels-last images into a row of scalars in the order channel, height, width.
struct Flatten: Operation {
  let name = "flatten"
  let samples: Int
  let positions: Int
  let channels: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Flatten.transposition(samples, rows: positions, columns: channels)
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      FlattenGradient(samples: samples, positions: positions, channels: channels), [gradient],
      [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }

  static func transposition(_ samples: Int, rows: Int, columns: Int) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for sample in 0..<samples {
          let start = sample &* rows &* columns
          Transposition.transpose(run[x] + start, into: run[y] + start, rows: rows, columns: columns)
        }
      }
    }
  }
}

/// The way back, for gradients.
struct FlattenGradient: Operation {
  let name = "flatten gradient"
  let samples: Int
  let positions: Int
  let channels: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Flatten.transposition(samples, rows: channels, columns: positions)
  }
}

extension Recorder {
  /// `[n, …]` as `[n, scalars of a sample]`; images `[n, h, w, c]` in the order channel, height, width, so that the weights
  /// that follow are PyTorch's.  Free where height · width or channels is 1.
  public func flatten(_ x: Value) -> Value {
    let from = shape(x)
    precondition(from.rank >= 1 && from.count > 0, "flattening \(from)")
    let to = Shape([from[0], from.count / from[0]])
    guard from.rank == 4, from[1] * from[2] > 1, from[3] > 1 else { return reshape(x, to) }
    return append(Flatten(samples: from[0], positions: from[1] * from[2], channels: from[3]), [x], [.new(to)])[0]
  }
}

#if canImport(Glibc)
  import Glibc
#endif

/// A number t as sines and cosines of 1000 t at geometric frequencies (Vaswani et al. 2017, section 3.5; the factor is that of
/// diffusion models): sin(1000 t ωᵢ), then cos(1000 t ωᵢ), ωᵢ = 10000^(−i / half).
struct TimeEmbedding: Operation {
  let name = "time embedding"
  let rows: Int
  /// Half of the width.
  let half: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 40 * rows * half }

  /// 1000 ωᵢ.
  private var frequencies: [Double] { (0..<half).map { 1000 * pow(10000, -Double($0) / Double(half)) } }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let frequencies = frequencies
    return Lowering { at in
      let (times, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let (time, place) = (Double(run[times][row]), run[y] + 2 &* row &* half)
          for i in 0..<half {
            place[i] = Float(sin(time * frequencies[i]))
            place[half &+ i] = Float(cos(time * frequencies[i]))
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dtimes = recorder.append(
      TimeEmbeddingGradient(rows: rows, half: half, frequencies: frequencies), [gradient, call.outputs[0]],
      [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dtimes[0], to: call.inputs[0])
  }
}

/// dt = Σ 1000 ωᵢ (cosᵢ dsinᵢ − sinᵢ dcosᵢ).
struct TimeEmbeddingGradient: Operation {
  let name = "time embedding gradient"
  let rows: Int
  let half: Int
  let frequencies: [Double]

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, y, dtimes) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let (slope, known) = (run[dy] + 2 &* row &* half, run[y] + 2 &* row &* half)
          var sum = 0.0
          for i in 0..<half {
            sum += frequencies[i] * Double(known[half &+ i] * slope[i] - known[i] * slope[half &+ i])
          }
          run[dtimes][row] = Float(sum)
        }
      }
    }
  }
}

extension Recorder {
  /// Sines and cosines of numbers of about [0, 1]: `[rows]` or `[rows, 1]` → `[rows, width]`, an even width.
  public func timeEmbedding(_ times: Value, width: Int) -> Value {
    precondition(width > 0 && width % 2 == 0, "a time embedding of width \(width)")
    let rows = shape(times).count
    return append(TimeEmbedding(rows: rows, half: width / 2), [times], [.new([rows, width])])[0]
  }
}

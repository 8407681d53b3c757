import Tensors
import Testing

@Suite("Batch normalisation")
struct BatchNormTests {
  static let shapes: [Shape] = [
    [3, 5, 7, 1], [3, 5, 7, 3], [1, 5, 7, 17], [3, 4, 4, 16], [7, 5], [3, 9, 11, 64], [2, 8, 9, 48], [130, 200],
    [70, 16, 3, 4],
  ]

  static func arrays(_ shape: Shape) -> [Array32] {
    [.random(shape, 1), .random([shape[-1]], 2), .random([shape[-1]], 3), .random(shape, 4)]
  }

  @Test(arguments: Goldens.of("batch-norm"))
  func matchesPyTorch(_ golden: Golden) {
    let training = golden.flag("training")
    expectGolden(
      golden, ["x", "weight", "bias"], states: [golden["running-mean"], golden["running-variance"]],
      moved: training ? ["running-mean-after", "running-variance-after"] : []
    ) { recorder, p, s in
      recorder.batchNorm(p[0], weight: p[1], bias: p[2], mean: s[0], variance: s[1], frozen: !training)
    }
  }

  @Test(arguments: shapes)
  func gradientsMatchDifferences(_ shape: Shape) {
    let arrays = BatchNormTests.arrays(shape)
    expectGradientsMatchDifferences(Array(arrays[..<3]), step: 3e-3) { recorder, p in
      recorder.batchNorm(p[0], weight: p[1], bias: p[2])
    }
    expectGradientsMatchDifferences(arrays, step: 3e-3) { recorder, p in
      recorder.batchNorm(p[0], weight: p[1], bias: p[2], residual: p[3])
    }
    expectGradientsMatchDifferences([arrays[0]], step: 3e-3) { recorder, p in
      recorder.batchNorm(p[0])
    }
  }

  /// Relu and the residual inside the operation give the bits of those outside.
  @Test(arguments: shapes, [false, true])
  func fusedEqualsUnfused(_ shape: Shape, _ hasResidual: Bool) {
    var arrays = BatchNormTests.arrays(shape)
    arrays[0].scalars[shape.count / 2] = .nan
    arrays[3].scalars[1] = .nan
    let weights = Array32.random(shape, 5).scalars
    let used = hasResidual ? arrays : Array(arrays[..<3])
    let fused = Harness(used, weights: weights) { recorder, p in
      recorder.batchNorm(p[0], weight: p[1], bias: p[2], residual: hasResidual ? p[3] : nil, rectified: true)
    }
    let plain = Harness(used, weights: weights) { recorder, p in
      let y = recorder.batchNorm(p[0], weight: p[1], bias: p[2])
      return recorder.relu(hasResidual ? recorder.add(y, p[3]) : y)
    }
    #expect(fused.output.map(\.bitPattern) == plain.output.map(\.bitPattern))
    for (a, b) in zip(fused.gradients, plain.gradients) {
      #expect(zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
    }
  }

  /// Two gradients that meet at the output are added inside the gradient, with the bits of a sum outside.
  @Test(arguments: shapes + [[127, 5, 7, 3]])
  func meetingGradientsEqualUnfused(_ shape: Shape) {
    let arrays = BatchNormTests.arrays(shape)
    let weights = Array32.random(shape, 5).scalars
    let fused = Harness(arrays, weights: weights) { recorder, p in
      let y = recorder.batchNorm(p[0], weight: p[1], bias: p[2], residual: p[3], rectified: true)
      return recorder.batchNorm(y, weight: p[1], bias: p[2], residual: y, rectified: true)
    }
    let plain = Harness(arrays, weights: weights) { recorder, p in
      let y = recorder.relu(recorder.add(recorder.batchNorm(p[0], weight: p[1], bias: p[2]), p[3]))
      return recorder.relu(recorder.add(recorder.batchNorm(y, weight: p[1], bias: p[2]), y))
    }
    #expect(fused.output.map(\.bitPattern) == plain.output.map(\.bitPattern))
    for (a, b) in zip(fused.gradients, plain.gradients) { #expect(a == b) }
  }

  /// Rows whose mean moves from block to block cost no digits either.
  @Test(arguments: [1, 3, 16, 17])
  func driftingMeansKeepTheVariance(_ channels: Int) {
    let shape: Shape = [127, 5, 7, channels]
    var x = Array32.random(shape, 1).scalars
    for i in x.indices { x[i] += i < x.count / 3 ? -300 : 1000 * Float(i) / Float(x.count) }
    let zeros = Array32([channels], .init(repeating: 0, count: channels))
    let run = Harness([Array32(shape, x)], states: [zeros, zeros]) { recorder, p, s in
      recorder.batchNorm(p[0], mean: s[0], variance: s[1])
    }
    let n = Double(x.count / channels)
    for c in 0..<channels {
      let values = stride(from: c, to: x.count, by: channels).map { Double(x[$0]) }
      let mean = values.reduce(0, +) / n
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
      #expect(abs(Double(run.statistics[0][c]) - mean) < 1e-6 * variance.squareRoot())
      #expect(abs(Double(run.statistics[1][c]) - variance) < 1e-6 * variance)
    }
  }

  @Test func aNumberThatIsNoneSpoilsItsChannelAlone() {
    var arrays = BatchNormTests.arrays([3, 5, 7, 17])
    for bad in [Float.nan, .infinity] {
      arrays[0].scalars[17 * 40 + 3] = bad
      for rectified in [false, true] {
        let y = Harness(Array(arrays[..<3])) { recorder, p in
          recorder.batchNorm(p[0], weight: p[1], bias: p[2], rectified: rectified)
        }.output
        #expect(y.indices.allSatisfy { y[$0].isNaN == ($0 % 17 == 3) })
      }
    }
  }

  /// A mean a thousand deviations away costs no more digits than rounding the input did.
  @Test(arguments: [1, 3, 16, 17, 200])
  func largeMeansKeepTheVariance(_ channels: Int) {
    let shape: Shape = [11, 13, 17, channels]
    let x = Array32.random(shape, 1).scalars.map { $0 + 1000 }
    let run = Harness(
      [Array32(shape, x)],
      states: [
        Array32([channels], .init(repeating: 0, count: channels)),
        Array32([channels], .init(repeating: 1, count: channels)),
      ],
      share: 0.25
    ) { recorder, p, s in recorder.batchNorm(p[0], mean: s[0], variance: s[1]) }
    let n = Double(x.count / channels)
    for c in 0..<channels {
      let values = stride(from: c, to: x.count, by: channels).map { Double(x[$0]) }
      let mean = values.reduce(0, +) / n
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
      #expect(abs(Double(run.statistics[0][c]) - mean / 4) < 1e-6 * mean)
      #expect(abs(Double(run.statistics[1][c]) - variance / 4) < 1e-6 * variance)
    }
  }
}

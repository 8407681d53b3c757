import Tensors
import Testing

@Suite("Pooling")
struct PoolingTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var shape: Shape = [3, 5, 7, 17]
    var kernel = 2, stride = 2, padding = 0
    var testDescription: String { "\(shape), kernel \(kernel), stride \(stride), padding \(padding)" }
  }

  static let cases = [
    Case(), Case(shape: [1, 6, 8, 1]), Case(shape: [3, 6, 8, 32]), Case(kernel: 3, padding: 1),
    Case(shape: [1, 8, 8, 16], kernel: 3, padding: 1), Case(shape: [3, 5, 7, 3], kernel: 3, stride: 1, padding: 1),
    Case(shape: [2, 9, 9, 17], kernel: 2, stride: 3), Case(shape: [1, 16, 17, 16], kernel: 16, stride: 1),
    Case(shape: [1, 5, 5, 3], kernel: 5, stride: 5),
  ]

  @Test(arguments: Goldens.of("max-pool"))
  func largestMatchesPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"], tolerance: 1e-7) { recorder, p, _ in
      recorder.maxPool(
        p[0], kernel: golden.integer("kernel"), stride: golden.integer("stride"), padding: golden.integer("padding"))
    }
  }

  @Test(arguments: Goldens.of("average-pool"))
  func meanMatchesPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"], tolerance: 5e-7) { recorder, p, _ in
      recorder.averagePool(
        p[0], kernel: golden.integer("kernel"), stride: golden.integer("stride"), padding: golden.integer("padding"),
        countsPadding: golden.flag("countPadding"))
    }
  }

  @Test(arguments: Goldens.of("global-average-pool"))
  func meanOfAllMatchesPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"], tolerance: 5e-7) { recorder, p, _ in recorder.globalAveragePool(p[0]) }
  }

  @Test(arguments: cases)
  func gradientsMatchDifferences(_ size: Case) {
    // Distinct pixels further apart than the step, so that none overtakes another.
    var order = RandomStream(seed: 3, .test)
    let pixels = order.permutation(size.shape.count).map { Float($0) * 0.3 }
    expectGradientsMatchDifferences([Array32(size.shape, pixels)]) { recorder, p in
      recorder.maxPool(p[0], kernel: size.kernel, stride: size.stride, padding: size.padding)
    }
    for counts in [false, true] {
      expectGradientsMatchDifferences([.random(size.shape, 1)]) { recorder, p in
        recorder.averagePool(
          p[0], kernel: size.kernel, stride: size.stride, padding: size.padding, countsPadding: counts)
      }
    }
    expectGradientsMatchDifferences([.random(size.shape, 1)]) { recorder, p in recorder.globalAveragePool(p[0]) }
  }

  /// A pixel that is no number is the largest of every window that sees it, and takes those windows' gradients alone.
  @Test(arguments: cases)
  func aPixelThatIsNoNumberWins(_ size: Case) {
    var x = Array32.random(size.shape, 1)
    let (height, width, channels) = (size.shape[1], size.shape[2], size.shape[3])
    let (row, column, channel) = (height / 2, width / 2, channels / 2)
    let place = (row * width + column) * channels + channel
    x.scalars[place] = .nan
    let window = Window(kernel: size.kernel, stride: size.stride, padding: size.padding)
    let (tall, wide) = (window.positions(along: height), window.positions(along: width))
    func sees(_ position: Int, _ pixel: Int) -> Bool {
      (0..<size.kernel).contains { position * size.stride - size.padding + $0 == pixel }
    }
    for rectified in [false, true] {
      let run = Harness([x]) { recorder, p in
        recorder.maxPool(
          p[0], kernel: size.kernel, stride: size.stride, padding: size.padding, rectified: rectified)
      }
      var seen: Float = 0
      for (index, value) in run.output.enumerated() {
        let (pixel, c) = index.quotientAndRemainder(dividingBy: channels)
        let expected = c == channel && pixel < tall * wide && sees(pixel / wide, row) && sees(pixel % wide, column)
        #expect(value.isNaN == expected)
        if expected { seen += 1 }
      }
      #expect(run.gradients[0][place] == seen)
    }
    let mean = Harness([x]) { recorder, p in
      recorder.averagePool(p[0], kernel: size.kernel, stride: size.stride, padding: size.padding)
    }.output
    #expect(
      mean.filter(\.isNaN).count == (0..<tall * wide).filter { sees($0 / wide, row) && sees($0 % wide, column) }.count)
  }

  /// Relu inside pooling gives the bits of relu before it.
  @Test(arguments: cases)
  func fusedEqualsUnfused(_ size: Case) {
    var x = Array32.random(size.shape, 1)
    for index in x.scalars.indices where index % 7 == 0 { x.scalars[index] = -abs(x.scalars[index]) - 1 }
    x.scalars[3] = .nan
    x.scalars[5] = -.infinity
    x.scalars[1] = -0.0
    let count = Harness([x]) { recorder, p in
      recorder.maxPool(p[0], kernel: size.kernel, stride: size.stride, padding: size.padding)
    }.output.count
    let weights = Array32.random([count], 5).scalars
    let fused = Harness([x], weights: weights) { recorder, p in
      recorder.maxPool(p[0], kernel: size.kernel, stride: size.stride, padding: size.padding, rectified: true)
    }
    let plain = Harness([x], weights: weights) { recorder, p in
      recorder.maxPool(recorder.relu(p[0]), kernel: size.kernel, stride: size.stride, padding: size.padding)
    }
    #expect(fused.output.map(\.bitPattern) == plain.output.map(\.bitPattern))
    #expect(fused.gradients[0] == plain.gradients[0])
  }
}

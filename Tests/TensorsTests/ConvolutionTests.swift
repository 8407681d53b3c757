import Tensors
import Testing

@Suite("Convolutions")
struct ConvolutionTests {
  /// A library, and for oneDNN whether its convolution or products of taps.
  enum Way: CaseIterable {
    case onednn, taps, openblas

    var compute: Compute {
      get throws {
        let compute = Compute(backend: self == .openblas ? .openblas : .onednn)
        try compute.check()
        return compute
      }
    }

    func can(_ groups: Int) -> Bool { self != .taps || groups == 1 }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var batch = 3, height = 5, width = 7, inputs = 3, outputs = 4, kernel = 3
    var stride = 1, padding = 1, dilation = 1, groups = 1, hasBias = true

    var testDescription: String {
      "[\(batch), \(height), \(width), \(inputs)] to \(outputs), kernel \(kernel), stride \(stride), "
        + "padding \(padding), dilation \(dilation), groups \(groups)\(hasBias ? "" : ", no bias")"
    }

    var arrays: [Array32] {
      [
        .random([batch, height, width, inputs], 1), .random([outputs, inputs / groups, kernel, kernel], 2),
      ] + (hasBias ? [.random([outputs], 3)] : [])
    }

    /// Output pixels along each edge.
    var positions: (height: Int, width: Int) {
      let window = Window(kernel: kernel, stride: stride, padding: padding, dilation: dilation)
      return (window.positions(along: height), window.positions(along: width))
    }

    /// Whether an output pixel sees a pixel along one edge.
    func sees(_ position: Int, _ pixel: Int) -> Bool {
      (0..<kernel).contains { position * stride - padding + $0 * dilation == pixel }
    }

    func recorded(by way: Way) -> (Recorder, [Value]) -> Value {
      { recorder, p in
        recorder.convolution(
          p[0], p[1], bias: hasBias ? p[2] : nil, stride: stride, padding: padding, dilation: dilation, groups: groups,
          byTaps: way == .taps)
      }
    }
  }

  static let cases = [
    Case(), Case(batch: 1, inputs: 1, outputs: 8), Case(inputs: 17, outputs: 17), Case(inputs: 16, outputs: 32),
    Case(outputs: 1), Case(kernel: 5, padding: 0), Case(stride: 2), Case(inputs: 16, outputs: 16, stride: 2),
    Case(padding: 2, dilation: 2), Case(inputs: 17, outputs: 3, padding: 0, dilation: 2),
    Case(inputs: 4, outputs: 6, groups: 2),
    Case(inputs: 17, outputs: 17, groups: 17), Case(outputs: 6, stride: 2, groups: 3),
    Case(inputs: 32, outputs: 32, groups: 32), Case(inputs: 17, outputs: 3, kernel: 1, padding: 0),
    Case(inputs: 16, outputs: 32, kernel: 1, stride: 2, padding: 0), Case(height: 1, width: 1, inputs: 16, outputs: 16),
    Case(inputs: 6, outputs: 4, kernel: 1, padding: 0, groups: 2),
    Case(batch: 1, inputs: 17, outputs: 3), Case(batch: 127, height: 2, width: 2, inputs: 17, outputs: 17),
    Case(batch: 1, height: 2, width: 2, inputs: 33, outputs: 65, kernel: 5, padding: 2),
    Case(height: 1, width: 1, inputs: 1, outputs: 3, kernel: 1, stride: 2),
    // Sixteen outputs on rows of 17 to 32 pixels without a bias: a mirrored convolution's input gradient.
    Case(batch: 1, width: 17, inputs: 16, outputs: 16, hasBias: false),
    Case(width: 18, inputs: 32, outputs: 16, kernel: 5, hasBias: false),
    Case(height: 9, width: 32, inputs: 16, outputs: 16, padding: 0, hasBias: false),
    Case(batch: 1, width: 19, inputs: 16, outputs: 16, padding: 2, hasBias: false),
    Case(width: 18, inputs: 3, outputs: 16, hasBias: false), Case(width: 18, inputs: 17, outputs: 16, hasBias: false),
    Case(inputs: 32, outputs: 32, hasBias: false), Case(inputs: 48, outputs: 17, kernel: 1, stride: 2, padding: 0),
  ]
  /// Every case in every way that can do it.
  static let trials = Way.allCases.flatMap { way in cases.filter { way.can($0.groups) }.map { (way, $0) } }

  @Test(arguments: trials)
  func gradientsMatchDifferences(_ way: Way, _ size: Case) throws {
    expectGradientsMatchDifferences(size.arrays, compute: try way.compute, build: size.recorded(by: way))
  }

  @Test(arguments: Way.allCases, Goldens.of("convolution"))
  func matchesPyTorch(_ way: Way, _ golden: Golden) throws {
    guard way.can(golden.integer("groups")) else { return }
    let names = ["x", "weight"] + (golden.flag("bias") ? ["bias"] : [])
    expectGolden(golden, names, compute: try way.compute) { recorder, p, _ in
      recorder.convolution(
        p[0], p[1], bias: golden.flag("bias") ? p[2] : nil, stride: golden.integer("stride"),
        padding: golden.integer("padding"), dilation: golden.integer("dilation"), groups: golden.integer("groups"),
        byTaps: way == .taps)
    }
  }

  @Test(arguments: trials)
  func allWaysAgree(_ way: Way, _ size: Case) throws {
    let a = Harness(size.arrays, compute: try way.compute, build: size.recorded(by: way))
    let b = Harness(size.arrays, compute: try Way.onednn.compute, build: size.recorded(by: .onednn))
    #expect(relativeError(a.output, b.output) < 1e-5)
    for (x, y) in zip(a.gradients, b.gradients) { #expect(relativeError(x, y) < 1e-5) }
  }

  /// Many channels on short lines are multiplied tap by tap, the rest is left to oneDNN.
  @Test(arguments: [
    (Case(height: 5, width: 2, inputs: 64, outputs: 65), true), (Case(inputs: 64, outputs: 65), false),
    (Case(width: 4, inputs: 32, outputs: 33, stride: 2), true), (Case(width: 4, inputs: 32, outputs: 33), false),
    (Case(width: 1, inputs: 64, outputs: 64, groups: 2), false),
    (Case(width: 1, inputs: 64, outputs: 64, kernel: 1, padding: 0), false),
  ])
  func theShapeDecides(_ size: Case, _ byTaps: Bool) {
    let chosen = Harness(size.arrays) { recorder, p in
      recorder.convolution(p[0], p[1], bias: p[2], stride: size.stride, padding: size.padding, groups: size.groups)
    }
    for way in [Way.onednn, .taps] where way.can(size.groups) {
      let forced = Harness(size.arrays, build: size.recorded(by: way))
      let isSame = forced.output == chosen.output && forced.gradients == chosen.gradients
      #expect(isSame == ((way == .taps) == byTaps))
    }
  }

  @Test(arguments: Way.allCases, [1, 3])
  func aTiedWeightGetsBothGradients(_ way: Way, _ kernel: Int) throws {
    let record = Case(kernel: kernel, padding: kernel / 2).recorded(by: way)
    expectGradientsMatchDifferences(
      [.random([3, 5, 7, 16], 1), .random([16, 16, kernel, kernel], 2), .random([16], 3)], tolerance: 3e-2,
      compute: try way.compute
    ) { recorder, p in record(recorder, [record(recorder, p), p[1], p[2]]) }
  }

  /// Weights that are themselves computed, such as masked ones, pass their gradient on.
  @Test(arguments: Way.allCases)
  func computedWeightsGetGradients(_ way: Way) throws {
    let record = Case().recorded(by: way)
    expectGradientsMatchDifferences(
      [.random([3, 5, 7, 3], 1), .random([16, 3, 3, 3], 2), .random([16, 3, 3, 3], 3), .random([16], 4)],
      compute: try way.compute
    ) { recorder, p in record(recorder, [p[0], recorder.add(p[1], p[2]), p[3]]) }
  }

  /// Sums over 50,000 pixels, all of one sign, are as good as sums over few.
  @Test(arguments: Way.allCases, [1, 3, 16])
  func longSumsKeepTheirDigits(_ way: Way, _ channels: Int) throws {
    let x = Array32.random([64, 28, 28, channels], 1)
    let count = 64 * 28 * 28 * 8
    let dy = Array32.random([count], 2).scalars.map { abs($0) }
    let run = Harness(
      [x, .random([8, channels, 1, 1], 3), .random([8], 4)], weights: dy, compute: try way.compute,
      build: Case(kernel: 1, padding: 0).recorded(by: way))
    var weight = [Double](repeating: 0, count: 8 * channels), bias = [Double](repeating: 0, count: 8)
    for (index, gradient) in dy.enumerated() {
      let (pixel, out) = index.quotientAndRemainder(dividingBy: 8)
      bias[out] += Double(gradient)
      for c in 0..<channels { weight[out * channels + c] += Double(gradient) * Double(x.scalars[pixel * channels + c]) }
    }
    // Rounding errors of weight gradients are measured against the sizes summed, about count · 0.8.
    for (made, exact) in zip(run.gradients[1], weight) { #expect(abs(Double(made) - exact) < 2e-6 * 50_000) }
    for (made, exact) in zip(run.gradients[2], bias) { #expect(abs(Double(made) - exact) < 5e-7 * exact) }
  }

  /// A pixel that is not finite reaches exactly the outputs that see it, also through weights that are zero.
  @Test(arguments: trials, [Float.nan, -.infinity])
  func aPixelThatIsNotFiniteReachesTheOutputsThatSeeIt(_ trial: (Way, Case), _ scalar: Float) throws {
    let (way, size) = trial
    let clean = Harness(size.arrays, compute: try way.compute, build: size.recorded(by: way))
    #expect(clean.output.allSatisfy { $0.isFinite })
    let (y, x, channel) = (size.height / 2, size.width / 2, size.inputs / 2)
    var arrays = size.arrays
    arrays[0].scalars[(y * size.width + x) * size.inputs + channel] = scalar
    arrays[1].scalars[0] = 0
    let output = Harness(arrays, compute: try way.compute, build: size.recorded(by: way)).output
    let (height, width) = size.positions
    let group = channel / (size.inputs / size.groups)
    var wrong = 0
    for (index, value) in output.enumerated() {
      let (sample, rest) = index.quotientAndRemainder(dividingBy: height * width * size.outputs)
      let (pixel, out) = rest.quotientAndRemainder(dividingBy: size.outputs)
      let expected =
        sample == 0 && size.sees(pixel / width, y) && size.sees(pixel % width, x)
        && out / (size.outputs / size.groups) == group
      if value.isFinite == expected { wrong += 1 }
    }
    #expect(wrong == 0, "\(wrong) of \(output.count) outputs")
  }

  /// A gradient that is not finite reaches exactly the pixels that its output sees, and the weights of its channel.
  @Test(arguments: trials, [Float.nan, -.infinity])
  func aGradientThatIsNotFiniteReachesThePixelsItSaw(_ trial: (Way, Case), _ scalar: Float) throws {
    let (way, size) = trial
    let (height, width) = size.positions
    let (y, x, channel) = (height / 2, width / 2, size.outputs / 2)
    var dy = Array32.random([size.batch * height * width * size.outputs], 4).scalars
    dy[(y * width + x) * size.outputs + channel] = scalar
    let run = Harness(size.arrays, weights: dy, compute: try way.compute, build: size.recorded(by: way))
    let group = channel / (size.outputs / size.groups)
    var wrong = 0
    for (index, value) in run.gradients[0].enumerated() {
      let (sample, rest) = index.quotientAndRemainder(dividingBy: size.height * size.width * size.inputs)
      let (pixel, input) = rest.quotientAndRemainder(dividingBy: size.inputs)
      let expected =
        sample == 0 && size.sees(y, pixel / size.width) && size.sees(x, pixel % size.width)
        && input / (size.inputs / size.groups) == group
      if value.isFinite == expected { wrong += 1 }
    }
    #expect(wrong == 0, "\(wrong) of \(run.gradients[0].count) pixels")
    let depth = run.gradients[1].count / size.outputs
    for (index, value) in run.gradients[1].enumerated() where !value.isFinite { #expect(index / depth == channel) }
    if size.hasBias { #expect(!run.gradients[2][channel].isFinite) }
  }
}

import Tensors
import Testing

@Suite("Convolutions")
struct ConvolutionTests {
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

    func record(_ recorder: Recorder, _ p: [Value]) -> Value {
      recorder.convolution(
        p[0], p[1], bias: hasBias ? p[2] : nil, stride: stride, padding: padding, dilation: dilation, groups: groups)
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
    // Sixteen outputs on rows of 17 to 32 pixels without a bias: a mirrored convolution's input gradient.
    Case(batch: 1, width: 17, inputs: 16, outputs: 16, hasBias: false),
    Case(width: 18, inputs: 32, outputs: 16, kernel: 5, hasBias: false),
    Case(height: 9, width: 32, inputs: 16, outputs: 16, padding: 0, hasBias: false),
    Case(batch: 1, width: 19, inputs: 16, outputs: 16, padding: 2, hasBias: false),
    Case(width: 18, inputs: 3, outputs: 16, hasBias: false), Case(width: 18, inputs: 17, outputs: 16, hasBias: false),
    Case(inputs: 32, outputs: 32, hasBias: false), Case(inputs: 48, outputs: 17, kernel: 1, stride: 2, padding: 0),
  ]

  @Test(arguments: Compute.Backend.allCases, cases)
  func gradientsMatchDifferences(_ backend: Compute.Backend, _ size: Case) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    expectGradientsMatchDifferences(size.arrays, compute: compute, build: size.record)
  }

  @Test(arguments: Compute.Backend.allCases, Goldens.of("convolution"))
  func matchesPyTorch(_ backend: Compute.Backend, _ golden: Golden) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    expectGolden(golden, ["x", "weight"] + (golden.flag("bias") ? ["bias"] : []), compute: compute) { recorder, p, _ in
      recorder.convolution(
        p[0], p[1], bias: golden.flag("bias") ? p[2] : nil, stride: golden.integer("stride"),
        padding: golden.integer("padding"), dilation: golden.integer("dilation"), groups: golden.integer("groups"))
    }
  }

  @Test(arguments: cases)
  func bothBackendsAgree(_ size: Case) throws {
    try Compute(backend: .openblas).check()
    let a = Harness(size.arrays, compute: Compute(backend: .onednn), build: size.record)
    let b = Harness(size.arrays, compute: Compute(backend: .openblas), build: size.record)
    #expect(relativeError(a.output, b.output) < 1e-5)
    for (x, y) in zip(a.gradients, b.gradients) { #expect(relativeError(x, y) < 1e-5) }
  }

  @Test(arguments: Compute.Backend.allCases)
  func aTiedWeightGetsBothGradients(_ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    expectGradientsMatchDifferences(
      [.random([3, 5, 7, 16], 1), .random([16, 16, 3, 3], 2), .random([16], 3)], tolerance: 3e-2, compute: compute
    ) { recorder, p in
      let y = recorder.convolution(p[0], p[1], bias: p[2], padding: 1)
      return recorder.convolution(y, p[1], bias: p[2], padding: 1)
    }
  }

  /// Weights that are themselves computed, such as masked ones, pass their gradient on.
  @Test(arguments: Compute.Backend.allCases)
  func computedWeightsGetGradients(_ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    expectGradientsMatchDifferences(
      [.random([3, 5, 7, 3], 1), .random([16, 3, 3, 3], 2), .random([16, 3, 3, 3], 3)], compute: compute
    ) { recorder, p in recorder.convolution(p[0], recorder.add(p[1], p[2]), padding: 1) }
  }

  /// Sums over 50,000 pixels, all of one sign, are as good as sums over few.
  @Test(arguments: Compute.Backend.allCases, [1, 3, 16])
  func longSumsKeepTheirDigits(_ backend: Compute.Backend, _ channels: Int) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    let x = Array32.random([64, 28, 28, channels], 1)
    let count = 64 * 28 * 28 * 8
    let dy = Array32.random([count], 2).scalars.map { abs($0) }
    let run = Harness(
      [x, .random([8, channels, 1, 1], 3), .random([8], 4)], weights: dy, compute: compute
    ) { recorder, p in recorder.convolution(p[0], p[1], bias: p[2]) }
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

  /// A pixel that is not a number reaches exactly the outputs that see it, also through weights that are zero.
  @Test(arguments: Compute.Backend.allCases, cases)
  func aPixelThatIsNoNumberReachesTheOutputsThatSeeIt(_ backend: Compute.Backend, _ size: Case) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    let clean = Harness(size.arrays, compute: compute, build: size.record)
    #expect(clean.output.allSatisfy { $0.isFinite })
    let (y, x, channel) = (size.height / 2, size.width / 2, size.inputs / 2)
    var arrays = size.arrays
    arrays[0].scalars[(y * size.width + x) * size.inputs + channel] = .nan
    arrays[1].scalars[0] = 0
    let output = Harness(arrays, compute: compute, build: size.record).output
    let window = Window(
      kernel: size.kernel, stride: size.stride, padding: size.padding, dilation: size.dilation)
    let (height, width) = (window.positions(along: size.height), window.positions(along: size.width))
    func sees(_ position: Int, _ pixel: Int) -> Bool {
      (0..<size.kernel).contains { position * size.stride - size.padding + $0 * size.dilation == pixel }
    }
    let group = channel / (size.inputs / size.groups)
    var wrong = 0
    for (index, value) in output.enumerated() {
      let (sample, rest) = index.quotientAndRemainder(dividingBy: height * width * size.outputs)
      let (pixel, out) = rest.quotientAndRemainder(dividingBy: size.outputs)
      let expected =
        sample == 0 && sees(pixel / width, y) && sees(pixel % width, x)
        && out / (size.outputs / size.groups) == group
      if value.isNaN != expected { wrong += 1 }
    }
    #expect(wrong == 0, "\(wrong) of \(output.count) outputs")
  }
}

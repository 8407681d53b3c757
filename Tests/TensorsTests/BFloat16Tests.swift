import Tensors
import Testing

/// Programs that multiply bfloat16.  Where the processor cannot, there is nothing to test but the refusal.
@Suite("Products of bfloat16")
struct BFloat16Tests {
  static let rounded = Compute(precision: .bfloat16)
  static var isPossible: Bool { (try? rounded.check()) != nil }

  /// Something to compute, with its arrays and states.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let arrays: [Array32]
    let states: [Array32]
    /// Of gradients: products add their errors, and relu lets others through where they change a sign.
    let tolerance: Double
    /// False for what stays with Float32.
    let isRounded: Bool
    let build: @Sendable (Recorder, [Value], [ModelState]) -> Value

    init(
      _ name: String, _ arrays: [Array32], states: [Array32] = [], tolerance: Double = 2e-2, isRounded: Bool = true,
      _ build: @escaping @Sendable (Recorder, [Value], [ModelState]) -> Value
    ) {
      (testDescription, self.arrays, self.states, self.build) = (name, arrays, states, build)
      (self.tolerance, self.isRounded) = (tolerance, isRounded)
    }

    func run(_ compute: Compute) -> Harness {
      let count = build(arrays).count
      return Harness(
        arrays, states: states, weights: Array32.random([count], 99).scalars, batch: 3, compute: compute, fuse: true,
        build: build)
    }

    private func build(_ arrays: [Array32]) -> Shape {
      var scope = ParameterScope()
      let states = states.enumerated().map { scope.state("s\($0)", $1.shape, initial: 0, momentum: 0.1) }
      let parameters = arrays.enumerated().map { scope.parameter("p\($0)", $1.shape, .constant(0)) }
      let recorder = Recorder(batch: 3, mode: .training, layout: scope.layout, compute: Compute())
      return recorder.shape(build(recorder, parameters.map(recorder.parameter), states))
    }
  }

  private static func linear(_ rows: Int, _ inputs: Int, _ outputs: Int) -> Case {
    Case(
      "linear \(rows)x\(inputs)x\(outputs)",
      [.random([rows, inputs], 1), .random([outputs, inputs], 2), .random([outputs], 3)]
    ) { r, p, _ in r.linear(p[0], p[1], bias: p[2]) }
  }

  private static func convolution(_ image: Shape, _ weight: Shape, stride: Int = 1, groups: Int = 1) -> Case {
    Case(
      "convolution of \(image) by \(weight)", [.random(image, 1), .random(weight, 2), .random([weight[0]], 3)],
      isRounded: weight[1] % 2 == 0 && weight[0] / groups % 2 == 0
    ) { r, p, _ in
      r.convolution(p[0], p[1], bias: p[2], stride: stride, padding: weight[2] / 2, groups: groups)
    }
  }

  /// relu(norm(c2(relu(norm(c1(x))))) + x), as residual networks have it, and again.
  private static let block = Case(
    "two residual blocks", [.random([3, 5, 7, 16], 1)] + (2..<6).map { .random([16, 16, 3, 3], $0) },
    states: [Array32([16], [Float](repeating: 0, count: 16)), Array32([16], [Float](repeating: 1, count: 16))],
    tolerance: 8e-2
  ) { r, p, s in
    func block(_ x: Value, _ first: Value, _ second: Value) -> Value {
      let inner = r.relu(r.batchNorm(r.convolution(x, first, padding: 1), mean: s[0], variance: s[1]))
      return r.relu(r.add(r.batchNorm(r.convolution(inner, second, padding: 1)), x))
    }
    return block(block(p[0], p[1], p[2]), p[3], p[4])
  }

  static let cases = [
    linear(1, 1, 1), linear(3, 17, 5), linear(127, 33, 40), linear(64, 130, 10),
    convolution([1, 5, 7, 1], [3, 1, 3, 3]), convolution([3, 5, 7, 17], [3, 17, 3, 3]),
    convolution([1, 5, 7, 2], [6, 2, 3, 3]), convolution([3, 5, 7, 18], [34, 18, 3, 3]),
    convolution([3, 8, 8, 3], [17, 3, 5, 5], stride: 2), convolution([3, 8, 8, 6], [18, 6, 5, 5], stride: 2),
    convolution([3, 6, 6, 8], [16, 2, 3, 3], groups: 4),
    convolution([3, 6, 6, 17], [17, 1, 3, 3], groups: 17), convolution([3, 8, 8, 16], [32, 16, 1, 1], stride: 2),
    Case("a tied weight", [.random([4, 6], 1), .random([6, 6], 2)]) { r, p, _ in
      r.linear(r.linear(p[0], p[1]), p[1])
    },
    Case("a value read by two", [.random([4, 6], 1), .random([6, 6], 2), .random([6, 6], 3)]) { r, p, _ in
      let x = r.gelu(r.linear(p[0], p[1]))
      return r.add(r.add(x, r.linear(x, p[2])), x)
    },
    Case(
      "norm, up, gelu, down", [.random([12, 33], 1), .random([70, 33], 2), .random([70], 3), .random([33, 70], 4)]
    ) {
      r, p, _ in
      r.add(p[0], r.linear(r.gelu(r.linear(r.layerNorm(p[0]), p[1], bias: p[2]), approximation: .tanh), p[3]))
    },
    block,
  ]

  @Test("are those of Float32, to three digits, and so are the gradients", .enabled(if: isPossible), arguments: cases)
  func nearFloat32(_ test: Case) {
    let (exact, near) = (test.run(Compute()), test.run(BFloat16Tests.rounded))
    #expect(relativeError(near.output, exact.output) < 1e-2)
    for (index, gradient) in near.gradients.enumerated() {
      #expect(relativeError(gradient, exact.gradients[index]) < test.tolerance, "array \(index)")
    }
    for (statistic, known) in zip(near.statistics, exact.statistics) {
      #expect(relativeError(statistic, known) < 2e-2)
    }
    #expect((near.output != exact.output) == test.isRounded)
  }

  @Test("round to the nearest, on ties to the even one; infinities and NaN stay", .enabled(if: isPossible))
  func rounding() {
    let numbers: [(Float, Float)] = [
      (1, 1), (1 + 0x1p-8, 1), (1 + 3 * 0x1p-8, 1 + 0x1p-6), (1 + 0x1p-8 + 0x1p-20, 1 + 0x1p-7), (-1 - 0x1p-9, -1),
      (3.140_625, 3.140_625), (0x1.fffffep127, .infinity), (-.infinity, -.infinity), (0x1p-120, 0x1p-120),
      (.nan, .nan), (Float(bitPattern: 0x7F80_0001), .nan), (Float(bitPattern: 0xFFFF_FFFF), .nan), (0, 0),
    ]
    // Once in a register of sixteen and once after it.
    let scalars = numbers.map(\.0) + [0, 0, 0] + numbers.map(\.0)
    let x = Array32([scalars.count, 1], scalars)
    let y = Harness([x, Array32([1, 1], [1])], compute: BFloat16Tests.rounded) { r, p in r.linear(p[0], p[1]) }.output
    for (index, (number, expected)) in numbers.enumerated() {
      for made in [y[index], y[index + 16]] {
        #expect(made == expected || made.isNaN && expected.isNaN, "\(number) became \(made)")
      }
    }
  }

  /// A value, made in Float32 and multiplied afterwards.
  static let makers = [
    Case("relu", [.random([67, 16], 1)]) { r, p, _ in r.relu(p[0]) },
    Case("tanh", [.random([67, 16], 1)]) { r, p, _ in r.tanh(p[0]) },
    Case("gelu", [.random([67, 16], 1)]) { r, p, _ in r.gelu(p[0]) },
    Case("gelu of blocks", [.random([300, 16], 1)]) { r, p, _ in r.gelu(p[0], approximation: .tanh) },
    Case("layer norm", [.random([67, 16], 1)]) { r, p, _ in r.layerNorm(p[0]) },
    Case("layer norm of odd width", [.random([5, 37], 1)]) { r, p, _ in r.layerNorm(p[0]) },
    Case("batch norm", [.random([67, 16], 1)]) { r, p, _ in r.batchNorm(p[0]) },
    Case("batch norm of odd width, relu", [.random([67, 17], 1)]) { r, p, _ in r.relu(r.batchNorm(p[0])) },
    Case("batch norm of many rows", [.random([700, 3], 1)]) { r, p, _ in r.relu(r.add(r.batchNorm(p[0]), p[0])) },
  ]

  @Test(
    "of values rounded where they are made are those of values rounded afterwards", .enabled(if: isPossible),
    arguments: makers)
  func sameRounding(_ test: Case) {
    let width = test.arrays[0].shape[1]
    let weight = Array32.random([width, width], 5)
    let made = Harness(test.arrays, states: []) { r, p, s in test.build(r, p, s) }.output
    for isReadTwice in [false, true] {
      func product(_ r: Recorder, _ x: Value, _ weight: Value) -> Value {
        isReadTwice ? r.add(r.linear(x, weight), x) : r.linear(x, weight)
      }
      let together = Harness(test.arrays + [weight], states: [], compute: BFloat16Tests.rounded, fuse: true) {
        r, p, s in product(r, test.build(r, p, s), p.last!)
      }
      let apart = Harness([Array32(test.arrays[0].shape, made), weight], compute: BFloat16Tests.rounded) { r, p in
        product(r, p[0], p[1])
      }
      #expect(together.output == apart.output)
      #expect(together.gradients.last == apart.gradients.last)
    }
  }

  @Test(
    "let NaN and infinity through, to what depends on them and no further", .enabled(if: isPossible),
    arguments: [1, 17, 33, 64])
  func notNumbers(inputs: Int) {
    var x = Array32.random([9, inputs], 1)
    x.scalars[2 * inputs] = .nan
    x.scalars[6 * inputs + inputs - 1] = .infinity
    let outputs = 35
    let y = Harness([x, .random([outputs, inputs], 2), .random([outputs], 3)], compute: BFloat16Tests.rounded) { r, p in
      r.linear(p[0], p[1], bias: p[2])
    }
    for row in 0..<9 {
      let part = y.output[row * outputs..<(row + 1) * outputs]
      #expect(part.allSatisfy { row == 2 ? $0.isNaN : row == 6 ? !$0.isFinite : $0.isFinite }, "row \(row)")
    }
    #expect(y.gradients[1].enumerated().allSatisfy { index, g in index % inputs != 0 || g.isNaN })
  }

  @Test(
    "let NaN through a convolution and its gradient, to the pixels that see it", .enabled(if: isPossible),
    arguments: [1, 2, 3, 6, 17, 18, 32])
  func notNumbersInImages(channels: Int) {
    let size = 2 * 5 * 7 * channels
    let pixel = (2 * 7 + 3) * channels  // (2, 3) of the first image
    var x = Array32.random([2, 5, 7, channels], 1)
    x.scalars[pixel + channels - 1] = .nan
    let weight = Array32.random([channels, channels, 3, 3], 2)
    let forward = Harness([x, weight], compute: BFloat16Tests.rounded) { r, p in
      r.relu(r.convolution(p[0], p[1], padding: 1))
    }
    var weights = Array32.random([size], 3).scalars
    weights[pixel] = .nan
    let backward = Harness([.random(x.shape, 1), weight], weights: weights, compute: BFloat16Tests.rounded) { r, p in
      r.convolution(p[0], p[1], padding: 1)
    }
    for index in 0..<size {
      let (image, row, column) = (index / channels / 35, index / channels / 7 % 5, index / channels % 7)
      let sees = image == 0 && abs(row - 2) <= 1 && abs(column - 3) <= 1
      #expect(forward.output[index].isNaN == sees, "image \(image), pixel \(row), \(column)")
      #expect(backward.gradients[0][index].isNaN == sees, "gradient of image \(image), pixel \(row), \(column)")
    }
    let taps = channels * 9
    #expect(backward.gradients[1].enumerated().allSatisfy { index, g in g.isNaN == (index < taps) })
  }

  @Test("are not what OpenBLAS does") func openBLASRefuses() {
    #expect(throws: LibraryError.self) { try Compute(backend: .openblas, precision: .bfloat16).check() }
  }
}

import Tensors
import Testing

@Suite("Fusion changes no bit")
struct FusionTests {
  typealias Build = @Sendable (Recorder, [Value], [ModelState]) -> Value

  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Instructions that fusion takes out of the forward pass.
    let saved: Int
    let build: Build
  }

  @Sendable private static func norm(_ r: Recorder, _ x: Value, _ p: [Value], _ s: [ModelState], frozen: Bool = false)
    -> Value
  {
    r.batchNorm(x, weight: p[1], bias: p[2], mean: s[0], variance: s[1], frozen: frozen)
  }

  static let cases = [
    Case(testDescription: "norm, relu", saved: 1) { r, p, s in r.relu(norm(r, p[0], p, s)) },
    Case(testDescription: "norm, add, relu", saved: 2) { r, p, s in r.relu(r.add(norm(r, p[0], p, s), p[3])) },
    Case(testDescription: "add norm, relu", saved: 2) { r, p, s in r.relu(r.add(p[3], norm(r, p[0], p, s))) },
    Case(testDescription: "norm, add", saved: 1) { r, p, s in r.add(norm(r, p[0], p, s), p[3]) },
    Case(testDescription: "frozen norm, add, relu", saved: 2) { r, p, s in
      r.relu(r.add(norm(r, p[0], p, s, frozen: true), p[3]))
    },
    Case(testDescription: "norm without weight, relu", saved: 1) { r, p, s in r.relu(r.batchNorm(p[0])) },
    Case(testDescription: "residual block", saved: 3) { r, p, s in
      let x = r.relu(r.add(p[0], p[3]))
      let inner = r.relu(r.batchNorm(x, weight: p[1], bias: p[2]))
      return r.relu(r.add(norm(r, inner, p, s), x))
    },
    Case(testDescription: "two norms, add, relu", saved: 2) { r, p, s in
      r.relu(r.add(norm(r, p[0], p, s), r.batchNorm(p[3], weight: p[1], bias: p[2])))
    },
    Case(testDescription: "relu, pool", saved: 1) { r, p, s in
      r.maxPool(r.relu(r.add(p[0], p[3])), kernel: 2)
    },
    Case(testDescription: "pool, relu", saved: 1) { r, p, s in
      r.relu(r.maxPool(r.add(p[0], p[3]), kernel: 3, stride: 1, padding: 1))
    },
    Case(testDescription: "norm, relu, pool", saved: 1) { r, p, s in r.maxPool(r.relu(norm(r, p[0], p, s)), kernel: 2)
    },
    Case(testDescription: "norm read twice", saved: 0) { r, p, s in
      let y = norm(r, p[0], p, s)
      return r.add(r.relu(y), y)
    },
    Case(testDescription: "norm added to itself", saved: 0) { r, p, s in
      let y = norm(r, p[0], p, s)
      return r.add(y, y)
    },
    Case(testDescription: "norm that is a result", saved: 0) { r, p, s in
      let y = norm(r, p[0], p, s)
      defer { r.result(y) }
      return r.relu(y)
    },
    Case(testDescription: "norm, reshape, relu", saved: 0) { r, p, s in
      r.relu(r.reshape(norm(r, p[0], p, s), [105, 17]))
    },
  ]

  @Test(arguments: cases, [Float.zero, .nan, .infinity])
  func bitsStay(_ size: Case, _ special: Float) {
    let shape: Shape = [3, 5, 7, 17]
    var arrays: [Array32] = [.random(shape, 1), .random([17], 2), .random([17], 3), .random(shape, 4)]
    arrays[0].scalars[17 * 20 + 5] = special
    arrays[3].scalars[17 * 40 + 6] = special
    let states: [Array32] = [.random([17], 5), Array32([17], [Float](repeating: 2, count: 17))]
    let count = Harness(arrays, states: states, build: size.build).output.count
    let weights = Array32.random([count], 6).scalars
    let plain = Harness(arrays, states: states, weights: weights, build: size.build)
    let fused = Harness(arrays, states: states, weights: weights, fuse: true, build: size.build)
    #expect(plain.recordedCount - fused.recordedCount == size.saved)
    func isSame(_ a: [Float], _ b: [Float]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
    }
    #expect(isSame(fused.output, plain.output))
    for (a, b) in zip(fused.gradients, plain.gradients) { #expect(isSame(a, b)) }
    for (a, b) in zip(fused.statistics, plain.statistics) { #expect(isSame(a, b)) }
  }
}

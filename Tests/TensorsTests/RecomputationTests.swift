import Tensors
import Testing

@Suite("Recomputation")
struct RecomputationTests {
  /// A stack of layers `repeats` deep.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let input: Shape
    /// Shapes of the parameters of a layer.
    let parameters: [Shape]
    /// The most of the memory that is still needed.
    let share: Double
    let layer: @Sendable (Recorder, Value, [Value], [ModelState]) -> Value
  }

  static let cases = [
    Case(
      testDescription: "linear, relu, dropout", input: [64, 96], parameters: [[96, 96], [96]], share: 0.7
    ) { r, x, p, _ in r.dropout(r.relu(r.linear(x, p[0], bias: p[1])), probability: 0.3) },
    Case(
      testDescription: "residual block", input: [8, 9, 7, 16], parameters: [[16, 16, 3, 3], [16, 16, 3, 3]], share: 0.6
    ) { r, x, p, s in
      let inner = r.relu(r.batchNorm(r.convolution(x, p[0], padding: 1), mean: s[0], variance: s[1]))
      return r.relu(r.add(r.batchNorm(r.convolution(inner, p[1], padding: 1)), x))
    },
    Case(
      testDescription: "attention and gelu", input: [8, 12, 32], parameters: [[96, 32], [128, 32], [32, 128]],
      share: 0.4
    ) { r, x, p, _ in
      let h = r.add(x, r.attention(r.linear(r.layerNorm(x), p[0]), heads: 4, causal: true))
      return r.add(h, r.linear(r.gelu(r.linear(r.layerNorm(h), p[1])), p[2]))
    },
  ]

  /// Gradients and statistics of a step, in one block, and the memory it needs.
  private func step(_ test: Case, repeats: Int, recomputes: Bool) -> (bits: [UInt32], poolBytes: Int) {
    var scope = ParameterScope()
    let states = (0..<2).map { scope.state("s\($0)", [16], initial: Float($0), momentum: 0.1) }
    let parameters = (0..<repeats).map { layer in
      test.parameters.enumerated().map { scope.parameter("\(layer).\($0)", $1, .constant(0)) }
    }
    let layout = scope.layout
    let store = ParameterStore(layout)
    var random = RandomStream(seed: 3, .test)
    for i in 0..<layout.parameterCount { store.parameters.base[i] = random.normal() * 0.2 }
    let batch = test.input[0]
    let recorder = Recorder(
      batch: batch, mode: .training, layout: layout, compute: Compute(recomputes: recomputes))
    var x = recorder.input(Shape(Array(test.input.dimensions.dropFirst())), .float32)
    for (index, layer) in parameters.enumerated() {
      x = recorder.scope("\(index)") { test.layer(recorder, x, layer.map(recorder.parameter), states) }
    }
    let loss = recorder.meanSquaredError(x, recorder.target(Shape(Array(test.input.dimensions.dropFirst())), .float32))
    recorder.fuse()
    recorder.differentiate([loss])
    let plan = Plan(recorder)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let gradients = Storage(zeros: layout.gradientCount)
    let samples = Storage(zeros: test.input.count), targets = Storage(zeros: test.input.count)
    for i in 0..<samples.count { samples.base[i] = random.normal() }
    let keys = (0..<UInt64(batch)).map { $0 + 5 }
    keys.withUnsafeBufferPointer { keys in
      executor.run(
        Executor.Inputs(
          store: store, version: 0, gradients: gradients, samples: UnsafeMutableRawPointer(samples.base),
          targets: UnsafeMutableRawPointer(targets.base), sampleKeys: keys.baseAddress!))
    }
    return (
      gradients.scalars.map(\.bitPattern) + [UInt32(truncatingIfNeeded: executor.metric(0).bitPattern)], plan.poolBytes
    )
  }

  @Test("takes less memory for the same bits", arguments: cases)
  func lessMemory(_ test: Case) {
    let (kept, again) = (step(test, repeats: 9, recomputes: false), step(test, repeats: 9, recomputes: true))
    #expect(again.bits == kept.bits)
    #expect(Set(kept.bits).count > 100)
    #expect(Double(again.poolBytes) < test.share * Double(kept.poolBytes), "\(again.poolBytes) of \(kept.poolBytes)")
  }

  @Test("never takes more", arguments: cases, 1...4)
  func neverMore(_ test: Case, repeats: Int) {
    let (kept, again) = (
      step(test, repeats: repeats, recomputes: false), step(test, repeats: repeats, recomputes: true)
    )
    #expect(again.bits == kept.bits)
    #expect(again.poolBytes <= kept.poolBytes)
  }
}

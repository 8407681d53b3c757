import Tensors
import Testing

@Suite("Recurrent layers")
struct RecurrentTests {
  static let backends = Compute.Backend.allCases
  static let names = ["x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"]

  static func build(_ cell: RecurrentCell) -> (Recorder, [Value]) -> Value {
    { recorder, p in
      recorder.recurrent(
        cell, p[0], inputWeight: p[1], hiddenWeight: p[2], inputBias: p[3], hiddenBias: p[4])
    }
  }

  static func arrays(_ cell: RecurrentCell, _ batch: Int, _ time: Int, _ inputs: Int, _ width: Int) -> [Array32] {
    let rows = cell.gates * width
    let shapes: [Shape] = [[batch, time, inputs], [rows, inputs], [rows, width], [rows], [rows]]
    return shapes.enumerated().map { index, shape in
      var array = Array32.random(shape, UInt64(index))
      if index > 0 { array.scalars = array.scalars.map { 0.3 * $0 } }
      return array
    }
  }

  @Test(arguments: Goldens.of("recurrent"), backends)
  func agreesWithPyTorch(_ golden: Golden, _ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    let cell = try #require(RecurrentCell(rawValue: golden.words["cell"] ?? ""))
    let run = Harness(
      Self.names.map { golden[$0] }, weights: golden["dy"].scalars, compute: compute, build: Self.build(cell))
    #expect(relativeError(run.output, golden["y"].scalars) < 2e-6)
    for (name, gradient) in zip(Self.names, run.gradients) {
      #expect(relativeError(gradient, golden["d" + name].scalars) < 3e-6, "d\(name)")
    }
  }

  @Test(arguments: RecurrentCell.allCases, [(1, 1, 1, 1), (3, 9, 5, 33), (2, 20, 1, 16)])
  func gradientsMatchDifferences(_ cell: RecurrentCell, _ size: (Int, Int, Int, Int)) {
    expectGradientsMatchDifferences(
      Self.arrays(cell, size.0, size.1, size.2, size.3), build: Self.build(cell))
  }

  @Test(arguments: RecurrentCell.allCases)
  func twoLayersOfTiedWeightsGetBothGradients(_ cell: RecurrentCell) {
    expectGradientsMatchDifferences(Self.arrays(cell, 2, 6, 7, 7)) { recorder, p in
      let first = Self.build(cell)(recorder, p)
      return Self.build(cell)(recorder, [first] + p[1...])
    }
  }

  @Test(arguments: RecurrentCell.allCases)
  func samplesAreIndependentOfTheirBatch(_ cell: RecurrentCell) {
    let arrays = Self.arrays(cell, 2, 5, 3, 4)
    let both = Harness(arrays, build: Self.build(cell)).output
    var alone = arrays
    alone[0] = Array32([1, 5, 3], Array(arrays[0].scalars[15...]))
    #expect(relativeError(Harness(alone, build: Self.build(cell)).output, Array(both[20...])) < 1e-6)
  }

  @Test(arguments: RecurrentCell.allCases)
  func nanReachesEveryLaterStepAndNoEarlierOne(_ cell: RecurrentCell) {
    var arrays = Self.arrays(cell, 2, 6, 3, 4)
    arrays[0].scalars[2 * 3] = .nan
    let run = Harness(arrays, build: Self.build(cell))
    for step in 0..<6 { #expect(run.output[step * 4].isNaN == (step >= 2)) }
    #expect(run.output[24...].allSatisfy { !$0.isNaN }, "the other sample is untouched")
    #expect(run.gradients[2].contains { $0.isNaN })
  }

  @Test(arguments: RecurrentCell.allCases)
  func infiniteInputsSaturate(_ cell: RecurrentCell) {
    var arrays = Self.arrays(cell, 1, 3, 1, 4)
    arrays[0].scalars[1] = .infinity
    let run = Harness(arrays, build: Self.build(cell))
    #expect(run.output.allSatisfy { abs($0) <= 1 })
  }

  /// The cells with the gradient cut between steps.
  static func cut(_ cell: RecurrentCell) -> (Recorder, [Value]) -> Value {
    { recorder, p in
      recorder.flowsThroughTime = false
      return build(cell)(recorder, p)
    }
  }

  @Test("without the flow through time, a step's gradient is that of its own output", arguments: RecurrentCell.allCases)
  func cutGradientsAreLocal(_ cell: RecurrentCell) {
    let arrays = Self.arrays(cell, 2, 5, 3, 4)
    var sum = [Float](repeating: 0, count: 30)
    let weights = Array32.random([40], 50).scalars
    for step in 0..<5 {
      let here = weights.enumerated().map { $0 / 4 % 5 == step ? $1 : 0 }
      let run = Harness(arrays, weights: here, build: Self.cut(cell))
      for (place, gradient) in run.gradients[0].enumerated() where place / 3 % 5 != step { #expect(gradient == 0) }
      // Of the last steps to be looked at, the flow through time changes the gradients of earlier inputs alone.
      let whole = Harness(arrays, weights: here, build: Self.build(cell)).gradients[0]
      for place in whole.indices where place / 3 % 5 == step {
        #expect(abs(whole[place] - run.gradients[0][place]) < 1e-6)
      }
      for place in sum.indices { sum[place] += run.gradients[0][place] }
    }
    #expect(relativeError(Harness(arrays, weights: weights, build: Self.cut(cell)).gradients[0], sum) < 1e-6)
  }

  @Test("feedback through zeros instead of the hidden weight cuts a tanh recurrence")
  func feedbackOfZeros() {
    let arrays = Self.arrays(.tanh, 2, 5, 3, 4)
    let weights = Array32.random([40], 50).scalars
    let zeros = Array32([4, 4], [Float](repeating: 0, count: 16))
    let fed = Harness(arrays, states: [zeros], weights: weights) { recorder, p, states in
      recorder.feedback[recorder.layout.parameters[2]] = states[0]
      return Self.build(.tanh)(recorder, p)
    }
    let cut = Harness(arrays, weights: weights, build: Self.cut(.tanh))
    for (a, b) in zip(fed.gradients, cut.gradients) { #expect(relativeError(a, b) < 1e-6) }
  }
}

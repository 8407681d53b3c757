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
}

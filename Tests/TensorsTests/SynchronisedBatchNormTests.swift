import Tensors
import Testing

@Suite("Batch normalisation over a batch that is cut into shards")
struct SynchronisedBatchNormTests {
  /// How a batch of so many rows is cut: into equal and unequal shards, of which some have no rows.
  static func cuts(_ rows: Int) -> [[Int]] {
    [[rows], [1, rows - 1], [rows - 1, 0, 1], [rows / 2, rows - rows / 2]]
      + (rows > 4 ? [[0, rows / 3, 1, rows - rows / 3 - 1, 0]] : [])
  }

  static func arrays(_ shape: Shape) -> ShardedRun.Arrays {
    ShardedRun.Arrays(
      cut: [.random(shape, 1), .random(shape, 4)], common: [.random([shape[-1]], 2), .random([shape[-1]], 3)])
  }

  @Test("is PyTorch's over the whole batch", arguments: Goldens.of("batch-norm").filter { $0.flag("training") })
  func matchesPyTorch(_ golden: Golden) {
    let arrays = ShardedRun.Arrays(cut: [golden["x"]], common: [golden["weight"], golden["bias"]])
    for rows in SynchronisedBatchNormTests.cuts(golden["x"].shape[0]) {
      let run = ShardedRun(
        arrays, states: [golden["running-mean"], golden["running-variance"]], rows: rows, weights: golden["dy"].scalars
      ) { recorder, p, s in
        recorder.batchNorm(p[0], weight: p[1], bias: p[2], mean: s[0], variance: s[1], synchronised: true)
      }
      #expect(run.meetings == 2)
      expect(run, golden, tolerance: 2e-6)
    }
  }

  @Test("with means far from zero, a residual and relu, fused or not", arguments: [false, true])
  func matchesPyTorchFused(_ fuse: Bool) {
    let golden = Goldens.of("batch-norm-residual-relu")[0]
    let arrays = ShardedRun.Arrays(
      cut: [golden["x"], golden["residual"]], common: [golden["weight"], golden["bias"]])
    for rows in SynchronisedBatchNormTests.cuts(golden["x"].shape[0]) {
      let run = ShardedRun(
        arrays, states: [golden["running-mean"], golden["running-variance"]], rows: rows, weights: golden["dy"].scalars,
        fuse: fuse
      ) { recorder, p, s in
        recorder.relu(
          recorder.add(
            recorder.batchNorm(p[0], weight: p[2], bias: p[3], mean: s[0], variance: s[1], synchronised: true), p[1]))
      }
      // A mean of 300 deviations is known to 2e-5 of a deviation in Float32.
      expect(run, golden, tolerance: 1e-5)
      #expect(relativeError(run.cut[1], golden["dresidual"].scalars) < 1e-5)
    }
  }

  private func expect(_ run: ShardedRun, _ golden: Golden, tolerance: Double) {
    for (name, found, expected) in [
      ("y", run.output, "y"), ("dx", run.cut[0], "dx"), ("dw", run.common[0], "dweight"),
      ("db", run.common[1], "dbias"),
    ] {
      let error = relativeError(found, golden[expected].scalars)
      #expect(error < tolerance, "\(name) of \(golden.name): \(error)")
    }
    for (statistic, name) in zip(run.statistics, ["running-mean", "running-variance"]) {
      let expected = zip(golden[name].scalars, golden[name + "-after"].scalars).map { $0 + ($1 - $0) / 0.1 }
      #expect(relativeError(statistic, expected) < 1e-5, "\(name) of \(golden.name)")
    }
  }

  @Test("of one shard gives the bits of one that meets nobody", arguments: BatchNormTests.shapes, [false, true])
  func oneShard(_ shape: Shape, _ hasResidual: Bool) {
    let arrays = SynchronisedBatchNormTests.arrays(shape)
    let states = [Array32.random([shape[-1]], 6), Array32([shape[-1]], .init(repeating: 1, count: shape[-1]))]
    let weights = Array32.random(shape, 5).scalars
    let runs = [false, true].map { synchronised in
      ShardedRun(arrays, states: states, rows: [shape[0]], weights: weights, fuse: true) { recorder, p, s in
        let y = recorder.batchNorm(
          p[0], weight: p[2], bias: p[3], mean: s[0], variance: s[1], synchronised: synchronised)
        return recorder.relu(hasResidual ? recorder.add(y, p[1]) : y)
      }
    }
    #expect(runs.map(\.meetings) == [0, 2])
    #expect(runs[0].output == runs[1].output)
    #expect(runs[0].cut[0] == runs[1].cut[0] && runs[0].common == runs[1].common)
    #expect(!hasResidual || runs[0].cut[1] == runs[1].cut[1])
    #expect(runs[0].statistics == runs[1].statistics)
  }

  @Test("has the gradients of differences through two shards", arguments: BatchNormTests.shapes)
  func gradientsMatchDifferences(_ shape: Shape) {
    let rows = shape[0] == 1 ? [1, 0] : [shape[0] / 3 + 1, shape[0] - shape[0] / 3 - 1]
    let arrays = SynchronisedBatchNormTests.arrays(shape)
    let weights = Array32.random(shape, 99).scalars
    func run(_ arrays: ShardedRun.Arrays) -> ShardedRun {
      ShardedRun(arrays, rows: rows, weights: weights, fuse: true) { recorder, p, _ in
        let inner = recorder.batchNorm(p[0], weight: p[2], bias: p[3], synchronised: true)
        return recorder.batchNorm(recorder.add(inner, p[1]), weight: p[3], bias: p[2], synchronised: true)
      }
    }
    let found = run(arrays)
    for index in 0..<4 {
      let isCut = index < 2
      let place = isCut ? index : index - 2
      let array = isCut ? arrays.cut[place] : arrays.common[place]
      let gradient = isCut ? found.cut[place] : found.common[place]
      let direction = Array32.random(array.shape, 100 + UInt64(index)).scalars
      let step: Float = 3e-3
      func loss(_ sign: Float) -> Double {
        var moved = arrays
        for i in direction.indices {
          if isCut {
            moved.cut[place].scalars[i] += sign * step * direction[i]
          } else {
            moved.common[place].scalars[i] += sign * step * direction[i]
          }
        }
        return run(moved).loss
      }
      let numeric = (loss(1) - loss(-1)) / (2 * Double(step))
      let slope = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      let size = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(
        abs(slope - numeric) <= 2e-2 * max(abs(numeric), size, 1e-3),
        "array \(index): gradient \(slope), difference \(numeric)")
    }
  }

  @Test("keeps the variance where shards lie thousands of deviations apart")
  func farShards() {
    let (rows, channels) = ([100, 1, 31], 5)
    var x = Array32.random([132, channels], 1)
    for i in x.scalars.indices {
      let row = i / channels
      x.scalars[i] = x.scalars[i] / 8 + (row < 100 ? 4000 : row < 101 ? 4001 : 3999)
    }
    let zeros = Array32([channels], .init(repeating: 0, count: channels))
    let run = ShardedRun(ShardedRun.Arrays(cut: [x], common: []), states: [zeros, zeros], rows: rows) {
      recorder, p, s in
      recorder.batchNorm(p[0], mean: s[0], variance: s[1], synchronised: true)
    }
    for c in 0..<channels {
      let values = stride(from: c, to: x.scalars.count, by: channels).map { Double(x.scalars[$0]) }
      let mean = values.reduce(0, +) / 132
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 131
      #expect(abs(Double(run.statistics[0][c]) - mean) < 1e-6 * mean)
      #expect(abs(Double(run.statistics[1][c]) - variance) < 1e-6 * variance)
    }
  }

  @Test("meets nobody in evaluation, where frozen, and where nobody reads the gradient of its input")
  func meetings() {
    func meetings(_ mode: Mode, frozen: Bool = false, ofInput: Bool = false) -> [Meeting.Combination] {
      var scope = ParameterScope()
      let x = scope.parameter("x", [6, 3], .constant(0))
      let (weight, bias) = (
        scope.parameter("weight", [3], .constant(1)), scope.parameter("bias", [3], .constant(0))
      )
      let states = ["mean", "variance"].map { scope.state($0, [3], initial: 1, momentum: 0.1) }
      let recorder = Recorder(batch: 6, mode: mode, layout: scope.layout, compute: Compute())
      let y = recorder.batchNorm(
        ofInput ? recorder.input([3], .float32) : recorder.parameter(x), weight: recorder.parameter(weight),
        bias: recorder.parameter(bias), mean: states[0], variance: states[1], frozen: frozen, synchronised: true)
      let loss = recorder.weightedSum(y, recorder.input([18], .float32, rows: 1))
      if mode == .training { recorder.differentiate([loss]) }
      return Plan(recorder).meetings.map(\.combination)
    }
    #expect(meetings(.training) == [.moments, .sums])
    #expect(meetings(.training, ofInput: true) == [.moments])
    #expect(meetings(.training, frozen: true) == [] && meetings(.evaluation) == [])
  }

  @Test("never meets twice to make values again")
  func recomputation() {
    let shape: Shape = [6, 5, 5, 16]
    func plan(_ recomputes: Bool) -> Plan {
      var scope = ParameterScope()
      let x = scope.parameter("x", shape, .constant(0))
      let recorder = Recorder(
        batch: 6, mode: .training, layout: scope.layout, compute: Compute(recomputes: recomputes))
      var y = recorder.parameter(x)
      for layer in 0..<9 {
        y = recorder.scope("\(layer)") {
          recorder.gelu(recorder.batchNorm(y, synchronised: true), approximation: .tanh)
        }
      }
      let loss = recorder.weightedSum(y, recorder.input([shape.count], .float32, rows: 1))
      recorder.fuse()
      recorder.differentiate([loss])
      return Plan(recorder)
    }
    let (kept, again) = (plan(false), plan(true))
    #expect(again.poolBytes < kept.poolBytes && again.stepCount > kept.stepCount)
    #expect(again.meetings.map(\.combination) == kept.meetings.map(\.combination) && kept.meetings.count == 18)
  }
}

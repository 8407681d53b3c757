import Tensors
import Testing

/// An array of a test: a shape and its scalars.
struct Array32 {
  var shape: Shape
  var scalars: [Float]

  init(_ shape: Shape, _ scalars: [Float]) {
    precondition(shape.count == scalars.count)
    self.shape = shape
    self.scalars = scalars
  }

  /// Normal numbers, the same in every run.
  static func random(_ shape: Shape, _ stream: UInt64 = 0) -> Array32 {
    var random = RandomStream(seed: 7, .test, layer: stream)
    return Array32(shape, (0..<shape.count).map { _ in random.normal() })
  }
}

/// Runs a small recorded program whose inputs are all parameters, so that every gradient can be looked at.
struct Harness {
  /// What the program computes.
  var output: [Float] = []
  /// Σ output · weights, Float64.
  var loss = 0.0
  /// Gradients of the loss with respect to each of the arrays.
  var gradients: [[Float]] = []
  /// What the run contributed to each of the states.
  var statistics: [[Float]] = []
  /// Instructions of the forward pass.
  var recordedCount = 0

  /// Records `build` over `arrays`, runs it and differentiates Σ output · `weights` (ones where not given).
  init(
    _ arrays: [Array32], weights: [Float]? = nil, batch: Int = 1, targets: [Int32] = [0], compute: Compute = Compute(),
    build: (Recorder, [Value]) -> Value
  ) {
    self.init(arrays, states: [], weights: weights, batch: batch, targets: targets, compute: compute) {
      recorder, values, _ in build(recorder, values)
    }
  }

  /// The same with states of given values, of which the run sees `share` of the samples; `fuse` calls the fusing pass.
  init(
    _ arrays: [Array32], states: [Array32], weights: [Float]? = nil, batch: Int = 1, targets: [Int32] = [0],
    share: Float = 1, compute: Compute = Compute(), fuse: Bool = false,
    build: (Recorder, [Value], [ModelState]) -> Value
  ) {
    var scope = ParameterScope()
    let modelStates = states.enumerated().map { scope.state("s\($0)", $1.shape, initial: 0, momentum: 0.1) }
    let parameters = arrays.enumerated().map { scope.parameter("p\($0)", $1.shape, .constant(0)) }
    let layout = scope.layout
    let store = ParameterStore(layout)
    for (parameter, array) in zip(parameters, arrays) {
      for (i, scalar) in array.scalars.enumerated() { store.parameters.base[parameter.range.lowerBound + i] = scalar }
    }
    for (state, array) in zip(modelStates, states) {
      for (i, scalar) in array.scalars.enumerated() { store.states.base[state.range.lowerBound + i] = scalar }
    }
    let recorder = Recorder(batch: batch, mode: .training, layout: layout, compute: compute)
    let y = build(recorder, parameters.map(recorder.parameter), modelStates)
    let count = recorder.shape(y).count
    let loss = recorder.weightedSum(y, recorder.input(Shape([count]), .float32, rows: 1))
    recorder.result(y)
    if fuse { recorder.fuse() }
    recordedCount = recorder.instructionCount
    recorder.differentiate([loss])
    let plan = Plan(recorder)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    var inputWeights = weights ?? [Float](repeating: 1, count: count)
    precondition(inputWeights.count == count, "\(inputWeights.count) weights for \(count) outputs")
    var targets = targets
    let keys = (0..<UInt64(batch)).map { $0 }
    let gradients = Storage(zeros: layout.gradientCount)
    for scalar in gradients.scalars.indices { gradients.base[scalar] = .nan }
    inputWeights.withUnsafeMutableBytes { samples in
      targets.withUnsafeMutableBytes { targets in
        var inputs = Executor.Inputs(
          store: store, version: 0, gradients: gradients, samples: samples.baseAddress!,
          targets: targets.baseAddress!, sampleKeys: keys.withUnsafeBufferPointer { $0.baseAddress! })
        inputs.share = share
        executor.run(inputs)
      }
    }
    withExtendedLifetime(keys) {}
    self.loss = executor.metric(plan.metricCount - 1)
    output = Array(executor.result(0))
    self.gradients = parameters.map { Array(gradients.scalars[$0.range]) }
    statistics = modelStates.map {
      Array(
        gradients.scalars[layout.parameterCount..<layout.gradientCount][
          ($0.range.lowerBound + layout.parameterCount)..<($0.range.upperBound + layout.parameterCount)])
    }
  }
}

/// ‖a − b‖ / ‖b‖, for whole arrays.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count, "comparing \(a.count) scalars with \(b.count)")
  var difference = 0.0, size = 0.0
  for (x, y) in zip(a, b) {
    difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
    size += Double(y) * Double(y)
  }
  if difference.isNaN || size.isNaN { return .infinity }
  return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}

/// Holds every gradient of a program against finite differences along random directions.
func expectGradientsMatchDifferences(
  _ arrays: [Array32], step: Float = 1e-2, tolerance: Double = 2e-2, compute: Compute = Compute(), batch: Int = 1,
  targets: [Int32] = [0], sourceLocation: SourceLocation = #_sourceLocation, build: (Recorder, [Value]) -> Value
) {
  let first = Harness(arrays, batch: batch, targets: targets, compute: compute, build: build)
  let weights = Array32.random([first.output.count], 99).scalars
  let analytic = Harness(arrays, weights: weights, batch: batch, targets: targets, compute: compute, build: build)
  for index in arrays.indices {
    let direction = Array32.random(arrays[index].shape, 100 + UInt64(index)).scalars
    func loss(_ sign: Float) -> Double {
      var moved = arrays
      for i in direction.indices { moved[index].scalars[i] += sign * step * direction[i] }
      return Harness(moved, weights: weights, batch: batch, targets: targets, compute: compute, build: build).loss
    }
    let numeric = (loss(1) - loss(-1)) / (2 * Double(step))
    var slope = 0.0, size = 0.0
    for (g, d) in zip(analytic.gradients[index], direction) {
      slope += Double(g) * Double(d)
      size += Double(g) * Double(g)
    }
    let scale = max(abs(numeric), size.squareRoot(), 1e-3)
    #expect(
      abs(slope - numeric) <= tolerance * scale, "array \(index): gradient \(slope), difference \(numeric)",
      sourceLocation: sourceLocation)
  }
}

import Tensors

/// Runs a small recorded program whose float arrays are parameters, with targets, loss and whatever a run can be told.
struct Trial {
  /// What differs from run to run.
  struct Settings {
    var mode = Mode.training
    var compute = Compute()
    var seed: UInt64 = 0
    var epoch: UInt64 = 0
    var keys: [UInt64] = [0]
    var targetWeight: Float = 1
    /// Int32 or Float32 values as they lie in memory.
    var targets: [UInt32] = [0]
    var samples: [UInt32] = [0]
    /// What the program reads beside samples; empty for nothing.
    var table: [Float] = []
    /// Runs one after the other with the same executor; what is kept is of the last.
    var runs = 1
  }

  /// Float64 sums that the run reported.
  var metrics: [Double] = []
  /// What was made a result.
  var results: [[Float]] = []
  /// Gradients with respect to each of the arrays; empty in evaluation.
  var gradients: [[Float]] = []

  /// Records `build` over `arrays` for as many samples as there are keys, differentiates the losses it returns, runs,
  /// and keeps the results it returns.
  init(
    _ arrays: [Array32], _ settings: Settings = Settings(),
    build: (Recorder, [Value]) -> (losses: [Value], results: [Value])
  ) {
    var scope = ParameterScope()
    let parameters = arrays.enumerated().map { scope.parameter("p\($0)", $1.shape, .constant(0)) }
    let layout = scope.layout
    let store = ParameterStore(layout)
    for (parameter, array) in zip(parameters, arrays) {
      for (i, scalar) in array.scalars.enumerated() { store.parameters.base[parameter.range.lowerBound + i] = scalar }
    }
    let recorder = Recorder(batch: settings.keys.count, mode: settings.mode, layout: layout, compute: settings.compute)
    let (losses, kept) = build(recorder, parameters.map(recorder.parameter))
    if settings.mode == .training { recorder.differentiate(losses) }
    for value in kept { recorder.result(value) }
    let plan = Plan(recorder)
    let pool = Pool(bytes: plan.poolBytes)
    let executor = Executor(plan, pool: pool)
    let gradients = Storage(zeros: layout.gradientCount)
    for scalar in gradients.scalars.indices { gradients.base[scalar] = .nan }
    var (targets, samples) = (settings.targets, settings.samples)
    let table = Storage(zeros: settings.table.count)
    for (i, scalar) in settings.table.enumerated() { table.base[i] = scalar }
    settings.keys.withUnsafeBufferPointer { keys in
      samples.withUnsafeMutableBytes { samples in
        targets.withUnsafeMutableBytes { targets in
          var inputs = Executor.Inputs(
            store: store, version: 0, gradients: gradients, samples: samples.baseAddress!,
            targets: targets.baseAddress!, sampleKeys: keys.baseAddress!)
          if table.count > 0 { inputs.table = table }
          (inputs.seed, inputs.epoch, inputs.targetWeight) = (settings.seed, settings.epoch, settings.targetWeight)
          for _ in 0..<settings.runs { executor.run(inputs) }
        }
      }
    }
    metrics = (0..<plan.metricCount).map { executor.metric($0) }
    results = (0..<kept.count).map { Array(executor.result($0)) }
    if settings.mode == .training { self.gradients = parameters.map { Array(gradients.scalars[$0.range]) } }
  }
}

extension Array where Element == Int32 {
  /// As they lie in memory.
  var words: [UInt32] { map { UInt32(bitPattern: $0) } }
}

extension Array where Element == Float {
  /// As they lie in memory.
  var words: [UInt32] { map(\.bitPattern) }
}

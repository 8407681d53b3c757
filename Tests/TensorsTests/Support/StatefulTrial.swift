import Tensors

/// Runs a small recorded program that reads parameters and states, and shows all that a run leaves.
struct StatefulTrial {
  /// What differs from run to run.
  struct Settings {
    var keys: [UInt64] = [0]
    var targets: [Int32] = [0]
    var seed: UInt64 = 0
    var epoch: UInt64 = 0
    var targetWeight: Float = 1
    var share: Float = 1
    var mode = Mode.training
  }

  var metrics: [Double] = []
  var results: [[Float]] = []
  var gradients: [[Float]] = []
  var statistics: [[Float]] = []

  /// Records `build` over parameters and states, differentiates the losses it returns and keeps its results.
  init(
    _ arrays: [Array32], states: [Array32] = [], _ settings: Settings = Settings(),
    build: (Recorder, [Value], [ModelState]) -> (losses: [Value], results: [Value])
  ) {
    var scope = ParameterScope()
    let parameters = arrays.enumerated().map { scope.parameter("p\($0)", $1.shape, .constant(0)) }
    let kept = states.enumerated().map { scope.state("s\($0)", $1.shape, initial: 0, momentum: 0.1) }
    let layout = scope.layout
    let store = ParameterStore(layout)
    for (parameter, array) in zip(parameters, arrays) {
      for (i, scalar) in array.scalars.enumerated() { store.parameters.base[parameter.range.lowerBound + i] = scalar }
    }
    for (state, array) in zip(kept, states) {
      for (i, scalar) in array.scalars.enumerated() { store.states.base[state.range.lowerBound + i] = scalar }
    }
    let recorder = Recorder(batch: settings.keys.count, mode: settings.mode, layout: layout, compute: Compute())
    let made = build(recorder, parameters.map(recorder.parameter), kept)
    if settings.mode == .training { recorder.differentiate(made.losses) }
    for value in made.results { recorder.result(value) }
    let plan = Plan(recorder)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let gradients = Storage(zeros: layout.gradientCount)
    var (targets, samples) = (settings.targets, [Float](repeating: 0, count: 1))
    settings.keys.withUnsafeBufferPointer { keys in
      samples.withUnsafeMutableBytes { samples in
        targets.withUnsafeMutableBytes { targets in
          var inputs = Executor.Inputs(
            store: store, version: 0, gradients: gradients, samples: samples.baseAddress!,
            targets: targets.baseAddress!, sampleKeys: keys.baseAddress!)
          (inputs.seed, inputs.epoch) = (settings.seed, settings.epoch)
          (inputs.targetWeight, inputs.share) = (settings.targetWeight, settings.share)
          executor.run(inputs)
        }
      }
    }
    metrics = (0..<plan.metricCount).map { executor.metric($0) }
    results = made.results.indices.map { Array(executor.result($0)) }
    self.gradients = parameters.map { Array(gradients.scalars[$0.range]) }
    statistics = kept.compactMap { state in
      state.statistic.map { range in
        Array(
          gradients.scalars[(range.lowerBound + layout.parameterCount)..<(range.upperBound + layout.parameterCount)])
      }
    }
  }
}

/// What a batch normalisation is made of.
struct BatchNormOptions: Hashable, Sendable {
  let rows: Int
  let channels: Int
  let epsilon: Float
  /// Whether a weight and a bias follow the input.
  let isAffine: Bool
  /// Whether something is added before relu.
  let hasResidual: Bool
  /// Whether relu follows.
  let isRectified: Bool
  let statistics: Statistics

  /// By whose mean and variance it normalises.
  enum Statistics: Sendable {
    /// Those of this shard's part of the batch.
    case shard
    /// Those of the batch of all shards, which a meeting brings.
    case batch
    /// The running ones.
    case running
  }

  /// Places of the instruction's inputs: x, weight, bias, residual, then running mean and variance or the batch's moments.
  var residualIndex: Int { isAffine ? 3 : 1 }
  var statisticsIndex: Int { residualIndex + (hasResidual ? 1 : 0) }
  var tiles: ChannelTiles { ChannelTiles(rows: rows, channels: channels) }
}

/// y = (x − mean) / √(variance + ε) · weight + bias (+ residual), with relu where asked for (Ioffe and Szegedy 2015).
///
/// Outputs: y, then mean and 1/√(variance + ε) of each channel for the gradient, then the statistics that move the running
/// ones: the mean, and the variance as an unbiased estimate, both weighted by the shard's share; where running statistics
/// normalise, these are they themselves, which leaves them where they are.
struct BatchNorm: Operation {
  let name = "batch norm"
  let options: BatchNormOptions
  let movesStates: Bool
  var inPlace: [(input: Int, output: Int)] {
    [(0, 0)] + (options.hasResidual ? [(options.residualIndex, 0)] : [])
  }

  func rounds(_ output: Int, beside: Bool) -> Bool { output == 0 }
  func readsRounded(_ input: Int) -> Bool { input == 0 }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    options.rows * options.channels * (options.statistics == .shard ? 8 : 3)
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    switch (inputs[0].type, outputs[0].type) {
    case (.bfloat16, .bfloat16): lowering(outputs, BFloat16.self, BFloat16.self)
    case (.bfloat16, _): lowering(outputs, BFloat16.self, Float.self)
    case (_, .bfloat16): lowering(outputs, Float.self, BFloat16.self)
    default: lowering(outputs, Float.self, Float.self)
    }
  }

  private func lowering<X: LaneScalar, Y: LaneScalar>(
    _ outputs: [ValueDescription], _ input: X.Type, _ output: Y.Type
  ) -> Lowering {
    let (tiles, channels) = (options.tiles, options.channels)
    let roundsBeside = outputs[0].type == .float32 && outputs[outputs.count - 1].type == .bfloat16
    let (sumBytes, factorBytes) = (PoolPlan.aligned(tiles.lanes * 8), PoolPlan.aligned(tiles.lanes * 4))
    return Lowering(scratchBytes: tiles.scratchBytes(sums: 2, factors: 3)) { at in
      let (x, y, saved) = (at.inputs[0], at.outputs[0], at.outputs[1])
      let weight = options.isAffine ? at.inputs[1] : x
      let bias = options.isAffine ? at.inputs[2] : x
      let residual = options.hasResidual ? at.inputs[options.residualIndex] : x
      let given = options.statistics == .shard ? x : at.inputs[options.statisticsIndex]
      let runningVariance = options.statistics == .running ? at.inputs[options.statisticsIndex + 1] : x
      let meanStatistic = movesStates ? at.outputs[2] : saved
      let varianceStatistic = movesStates ? at.outputs[3] : saved
      let beside = at.outputs[at.outputs.count - 1]
      let (means, squares) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let centre = at.scratch.advanced(by: 2 * sumBytes)
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      return { run in
        let (mean, inverse) = (run[saved], run[saved] + channels)
        let read = UnsafePointer<X>(run.scalars(x))
        /// Takes over n, means and sums of squares of a batch.
        func take(_ n: Double, _ m: UnsafePointer<Double>, _ s: UnsafePointer<Double>) {
          for c in 0..<channels {
            mean[c] = Float(m[c])
            inverse[c] = Float(1 / (s[c] / n + Double(options.epsilon)).squareRoot())
            if movesStates {
              run[meanStatistic][c] = Float(m[c]) * run.share
              run[varianceStatistic][c] = Float(s[c] / max(1, n - 1)) * run.share
            }
          }
        }
        switch options.statistics {
        case .running:
          for c in 0..<channels {
            mean[c] = run[given][c]
            inverse[c] = Float(1 / (Double(run[runningVariance][c]) + Double(options.epsilon)).squareRoot())
            if movesStates {
              run[meanStatistic][c] = run[given][c] * run.share
              run[varianceStatistic][c] = run[runningVariance][c] * run.share
            }
          }
        case .shard:
          let (m, s) = (run.doubles(means), run.doubles(squares))
          tiles.moments(read, means: m, squares: s)
          take(Double(options.rows), m, s)
        case .batch:
          let moments = run.doubles(given)
          take(moments[0], moments + 1, moments + 1 + channels)
        }
        let factors = BatchNorm.factors(
          tiles, saved: mean, weight: options.isAffine ? run[weight] : nil, bias: options.isAffine ? run[bias] : nil,
          centre: run[centre], scale: run[scale], shift: run[shift])
        let added = options.hasResidual ? UnsafePointer(run[residual]) : nil
        let made: UnsafeMutablePointer<Y> = run.scalars(y)
        tiles.normalise(read, factors, residual: added, rectified: options.isRectified, into: made) { start, count in
          if roundsBeside { Roundings.round(run[y] + start, into: run.halves(beside) + start, count) }
        }
      }
    }
  }

  /// Spreads mean, weight / deviation and bias over the lanes of a tile.
  @inline(__always)
  static func factors(
    _ tiles: ChannelTiles, saved: UnsafePointer<Float>, weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?,
    centre: UnsafeMutablePointer<Float>, scale: UnsafeMutablePointer<Float>, shift: UnsafeMutablePointer<Float>
  ) -> ChannelTiles.Factors {
    let channels = tiles.channels
    let inverse = saved + channels
    tiles.spread(saved, over: centre)
    if let weight, let bias {
      for c in 0..<channels { scale[c] = inverse[c] * weight[c] }
      tiles.repeatFirst(scale)
      tiles.spread(bias, over: shift)
    } else {
      tiles.spread(inverse, over: scale)
      shift.update(repeating: 0, count: tiles.lanes)
    }
    return ChannelTiles.Factors(centre: centre, scale: scale, shift: shift)
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let (x, y, saved) = (call.inputs[0], call.outputs[0], call.outputs[1])
    let affine = options.isAffine ? [call.inputs[1], call.inputs[2]] : []
    let weightSlot = options.isAffine ? recorder.gradientSlot(of: call.inputs[1]) : nil
    let biasSlot = options.isAffine ? recorder.gradientSlot(of: call.inputs[2]) : nil
    let sendsResidual = options.hasResidual && options.isRectified
    let terms = sendsResidual ? recorder.terms(of: gradient) : [gradient]
    let operation = BatchNormGradient(
      options: options, accumulatesWeight: weightSlot?.accumulates ?? false,
      accumulatesBias: biasSlot?.accumulates ?? false, addsGradient: terms.count == 2)
    let made = recorder.append(
      operation, [terms[0], x, saved] + affine + (sendsResidual ? [y] : []) + terms[1...],
      [operation.leavesSums ? .opaque([2, options.channels], bytes: 16 * options.channels) : .new(recorder.shape(x))]
        + (sendsResidual ? [.new(recorder.shape(x))] : []) + [weightSlot, biasSlot].compactMap { $0?.output })
    for slot in [weightSlot, biasSlot] {
      if let slot { recorder.filled(slot) }
    }
    if !operation.leavesSums {
      recorder.contribute(made[0], to: x)
    } else if recorder.needsGradient(x) {
      let passed = sendsResidual ? made[1] : gradient
      let moments = call.inputs[options.statisticsIndex]
      let dx = recorder.append(
        BatchNormInputGradient(options: options), [passed, x, saved] + affine + [made[0], moments],
        [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
    if options.hasResidual {
      recorder.contribute(sendsResidual ? made[1] : gradient, to: call.inputs[options.residualIndex])
    }
  }
}

extension ChannelTiles {
  /// Copies the first `channels` scalars over all lanes.
  func repeatFirst(_ values: UnsafeMutablePointer<Float>) {
    var i = channels
    while i < lanes {
      (values + i).update(from: values, count: channels)
      i &+= channels
    }
  }
}

extension Recorder {
  /// Batch normalisation over all axes but the last: `x` is `[…, channels]`, the result too.
  ///
  /// While training, the statistics are those of this shard's batch, or where `synchronised` those of the batch of all
  /// shards, and move `mean` and `variance` (see `ParameterStore.moveStates`); in evaluation, or where `frozen`, the running
  /// ones normalise.  `weight` and `bias` come together.  `residual` of the same shape is added before relu (`rectified`),
  /// each saving a pass over memory.
  public func batchNorm(
    _ x: Value, weight: Value? = nil, bias: Value? = nil, mean: ModelState? = nil,
    variance: ModelState? = nil, epsilon: Float = 1e-5, residual: Value? = nil, rectified: Bool = false,
    frozen: Bool = false, synchronised: Bool = false
  ) -> Value {
    let channels = shape(x)[-1]
    let usesStates = mean != nil && (frozen || mode == .evaluation)
    precondition((weight == nil) == (bias == nil), "batch norm with a weight or a bias alone")
    precondition((mean == nil) == (variance == nil), "batch norm with one running statistic alone")
    for value in [weight, bias] {
      if let value { precondition(shape(value).count == channels, "batch norm of \(shape(x)) by \(shape(value))") }
    }
    for state in [mean, variance] {
      if let state { precondition(state.shape.count == channels, "batch norm of \(shape(x)) by \(state.shape)") }
    }
    if let residual {
      precondition(shape(residual) == shape(x), "batch norm of \(shape(x)) and a residual \(shape(residual))")
    }
    let options = BatchNormOptions(
      rows: shape(x).count / channels, channels: channels, epsilon: epsilon, isAffine: weight != nil,
      hasResidual: residual != nil, isRectified: rectified,
      statistics: usesStates ? .running : synchronised && mode == .training ? .batch : .shard)
    let states = [mean, variance].compactMap { $0 }
    let statistics =
      switch options.statistics {
      case .shard: [Value]()
      case .batch: append(BatchMoments(tiles: options.tiles), [x], [BatchMoments.output(options)])
      case .running: states.map(state)
      }
    return append(
      BatchNorm(options: options, movesStates: !states.isEmpty && mode == .training),
      [x] + [weight, bias, residual].compactMap { $0 } + statistics,
      [.new(shape(x)), .new([2, channels])]
        + (mode == .training ? states.map { .existing(statistic($0)) } : []))[0]
  }
}

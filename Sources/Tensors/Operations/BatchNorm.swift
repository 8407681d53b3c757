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
  /// Whether running statistics normalise, rather than those of the batch.
  let usesStates: Bool

  /// Places of the instruction's inputs: x, weight, bias, residual, running mean, running variance.
  var residualIndex: Int { isAffine ? 3 : 1 }
  var stateIndex: Int { residualIndex + (hasResidual ? 1 : 0) }
  var tiles: ChannelTiles { ChannelTiles(rows: rows, channels: channels) }
}

/// y = (x − mean) / √(variance + ε) · weight + bias (+ residual), with relu where asked for (Ioffe and Szegedy 2015).
///
/// Outputs: y, then mean and 1/√(variance + ε) of each channel for the gradient, then the statistics of this shard that
/// move the running ones: the mean, and the variance as an unbiased estimate, both weighted by the shard's share; where
/// running statistics normalise, these are they themselves, which leaves them where they are.
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
    options.rows * options.channels * (options.usesStates ? 3 : 8)
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
      let runningMean = options.usesStates ? at.inputs[options.stateIndex] : x
      let runningVariance = options.usesStates ? at.inputs[options.stateIndex + 1] : x
      let meanStatistic = movesStates ? at.outputs[2] : saved
      let varianceStatistic = movesStates ? at.outputs[3] : saved
      let beside = at.outputs[at.outputs.count - 1]
      let (means, squares) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let centre = at.scratch.advanced(by: 2 * sumBytes)
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      return { run in
        let (mean, inverse) = (run[saved], run[saved] + channels)
        let read = UnsafePointer<X>(run.scalars(x))
        if options.usesStates {
          for c in 0..<channels {
            mean[c] = run[runningMean][c]
            inverse[c] = Float(1 / (Double(run[runningVariance][c]) + Double(options.epsilon)).squareRoot())
            if movesStates {
              run[meanStatistic][c] = run[runningMean][c] * run.share
              run[varianceStatistic][c] = run[runningVariance][c] * run.share
            }
          }
        } else {
          let (m, s) = (run.doubles(means), run.doubles(squares))
          tiles.moments(read, means: m, squares: s)
          let n = Double(options.rows)
          for c in 0..<channels {
            mean[c] = Float(m[c])
            inverse[c] = Float(1 / (s[c] / n + Double(options.epsilon)).squareRoot())
            if movesStates {
              run[meanStatistic][c] = Float(m[c]) * run.share
              run[varianceStatistic][c] = Float(s[c] / max(1, n - 1)) * run.share
            }
          }
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
    let weightSlot = options.isAffine ? recorder.gradientSlot(of: call.inputs[1]) : nil
    let biasSlot = options.isAffine ? recorder.gradientSlot(of: call.inputs[2]) : nil
    let sendsResidual = options.hasResidual && options.isRectified
    let terms = sendsResidual ? recorder.terms(of: gradient) : [gradient]
    let made = recorder.append(
      BatchNormGradient(
        options: options, accumulatesWeight: weightSlot?.accumulates ?? false,
        accumulatesBias: biasSlot?.accumulates ?? false, addsGradient: terms.count == 2),
      [terms[0], x, saved] + (options.isAffine ? [call.inputs[1], call.inputs[2]] : []) + (sendsResidual ? [y] : [])
        + terms[1...],
      [.new(recorder.shape(x))] + (sendsResidual ? [.new(recorder.shape(x))] : [])
        + [weightSlot, biasSlot].compactMap { $0?.output })
    for slot in [weightSlot, biasSlot] {
      if let slot { recorder.filled(slot) }
    }
    recorder.contribute(made[0], to: x)
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

/// Gradients of a batch normalisation.
///
/// With g = dy as relu let it through, x̂ = (x − mean)/deviation and n rows: db = Σg, dw = Σ g x̂,
/// dx = w/deviation · (g − db/n − x̂ dw/n); constant statistics leave dx = w/deviation · g.  Two passes over memory.
///
/// Inputs: dy, x, saved statistics, weight, bias, y where there is a residual and relu, what is to be added to dy.  Outputs:
/// dx, the gradient of that residual, dw, db.
struct BatchNormGradient: Operation {
  let name = "batch norm gradient"
  let options: BatchNormOptions
  let accumulatesWeight: Bool
  let accumulatesBias: Bool
  /// Whether dy is the sum of two inputs, where a residual's gradient is sent on.
  let addsGradient: Bool

  private var sendsResidual: Bool { options.hasResidual && options.isRectified }
  // Of what may be taken over, x was read last, so that it is in the cache.
  var inPlace: [(input: Int, output: Int)] { sendsResidual ? [(0, 1), (1, 0)] : [(0, 0), (1, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { output == 0 && !beside }
  func readsRounded(_ input: Int) -> Bool { input == 1 }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    options.rows * options.channels * 9
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    switch (inputs[1].type, outputs[0].type) {
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
    let (sumBytes, factorBytes) = (PoolPlan.aligned(tiles.lanes * 8), PoolPlan.aligned(tiles.lanes * 4))
    return Lowering(scratchBytes: tiles.scratchBytes(sums: 2, factors: 5)) { at in
      let (dy, x, saved, dx) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      let weight = options.isAffine ? at.inputs[3] : x
      let bias = options.isAffine ? at.inputs[4] : x
      let y = sendsResidual ? at.inputs[options.isAffine ? 5 : 3] : x
      let more = addsGradient ? at.inputs.last! : x
      let dresidual = sendsResidual ? at.outputs[1] : dx
      let dweight = options.isAffine ? at.outputs[at.outputs.count - 2] : dx
      let dbias = options.isAffine ? at.outputs[at.outputs.count - 1] : dx
      let (sums, products) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let centre = at.scratch.advanced(by: 2 * sumBytes)
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      let (slope, offset) = (centre.advanced(by: 3 * factorBytes), centre.advanced(by: 4 * factorBytes))
      return { run in
        let inverse = run[saved] + channels
        let read = UnsafePointer<X>(run.scalars(x))
        let factors = BatchNorm.factors(
          tiles, saved: run[saved], weight: options.isAffine ? run[weight] : nil,
          bias: options.isAffine ? run[bias] : nil, centre: run[centre], scale: run[scale], shift: run[shift])
        let (s, p) = (run.doubles(sums), run.doubles(products))
        let recomputes = options.isRectified && !options.hasResidual
        let mask: ChannelTiles.Mask =
          sendsResidual
          ? .output(run[y], more: addsGradient ? UnsafePointer(run[more]) : nil, masked: run[dresidual])
          : recomputes ? .recomputed : .none
        tiles.gradientSums(run[dy], read, factors, mask, sums: s, products: p)
        let n = Double(options.rows)
        for c in 0..<channels {
          let deviation = Double(inverse[c])
          if options.isAffine {
            let dw = Float(p[c] * deviation), db = Float(s[c])
            run[dweight][c] = accumulatesWeight ? run[dweight][c] + dw : dw
            run[dbias][c] = accumulatesBias ? run[dbias][c] + db : db
          }
          let a = Double(run[scale][c])
          run[slope][c] = options.usesStates ? 0 : Float(-a * deviation * deviation * p[c] / n)
          run[offset][c] = options.usesStates ? 0 : Float(-a * s[c] / n)
        }
        tiles.repeatFirst(run[slope])
        tiles.repeatFirst(run[offset])
        let g = sendsResidual ? run[dresidual] : run[dy]
        let made: UnsafeMutablePointer<Y> = run.scalars(dx)
        tiles.inputGradient(
          g, read, factors, rectified: recomputes, slope: run[slope], offset: run[offset], into: made)
      }
    }
  }
}

extension Recorder {
  /// Batch normalisation over all axes but the last: `x` is `[…, channels]`, the result too.
  ///
  /// While training, the statistics are those of this shard's batch and move `mean` and `variance` (see
  /// `ParameterStore.moveStates`); in evaluation, or where `frozen`, the running ones normalise.  `weight` and `bias`
  /// come together.  `residual` of the same shape is added before relu (`rectified`), each saving a pass over memory.
  public func batchNorm(
    _ x: Value, weight: Value? = nil, bias: Value? = nil, mean: ModelState? = nil,
    variance: ModelState? = nil, epsilon: Float = 1e-5, residual: Value? = nil, rectified: Bool = false,
    frozen: Bool = false
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
      hasResidual: residual != nil, isRectified: rectified, usesStates: usesStates)
    let states = [mean, variance].compactMap { $0 }
    return append(
      BatchNorm(options: options, movesStates: !states.isEmpty && mode == .training),
      [x] + [weight, bias, residual].compactMap { $0 } + (usesStates ? states.map(state) : []),
      [.new(shape(x)), .new([2, channels])]
        + (mode == .training ? states.map { .existing(statistic($0)) } : []))[0]
  }
}

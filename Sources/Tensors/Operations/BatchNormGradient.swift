/// Gradients of a batch normalisation.
///
/// With g = dy as relu let it through, x̂ = (x − mean)/deviation and n rows: db = Σg, dw = Σ g x̂,
/// dx = w/deviation · (g − db/n − x̂ dw/n); constant statistics leave dx = w/deviation · g.  Two passes over memory.
///
/// Inputs: dy, x, saved statistics, weight, bias, y where there is a residual and relu, what is to be added to dy.  Outputs:
/// dx, the gradient of that residual, dw, db.  With statistics of the batch of all shards it leaves Σg and Σ g (x − mean) of
/// its own in place of dx, for a meeting and then ``BatchNormInputGradient``: dw and db are the shard's, n and both sums in
/// dx the batch's.
struct BatchNormGradient: Operation {
  let name = "batch norm gradient"
  let options: BatchNormOptions
  let accumulatesWeight: Bool
  let accumulatesBias: Bool
  /// Whether dy is the sum of two inputs, where a residual's gradient is sent on.
  let addsGradient: Bool

  /// Whether the second pass is another instruction's.
  var leavesSums: Bool { options.statistics == .batch }
  var meeting: Meeting.Combination? { leavesSums ? .sums : nil }
  private var sendsResidual: Bool { options.hasResidual && options.isRectified }
  // Of what may be taken over, x was read last, so that it is in the cache.
  var inPlace: [(input: Int, output: Int)] {
    if leavesSums { return sendsResidual ? [(0, 1)] : [] }
    return sendsResidual ? [(0, 1), (1, 0)] : [(0, 0), (1, 0)]
  }

  func rounds(_ output: Int, beside: Bool) -> Bool { output == 0 && !beside && !leavesSums }
  func readsRounded(_ input: Int) -> Bool { input == 1 }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    options.rows * options.channels * (leavesSums ? 4 : 9)
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
        for c in 0..<channels {
          let deviation = Double(inverse[c])
          if options.isAffine {
            let dw = Float(p[c] * deviation), db = Float(s[c])
            run[dweight][c] = accumulatesWeight ? run[dweight][c] + dw : dw
            run[dbias][c] = accumulatesBias ? run[dbias][c] + db : db
          }
        }
        if leavesSums {
          let left = run.doubles(dx)
          left.update(from: s, count: channels)
          (left + channels).update(from: p, count: channels)
          return
        }
        BatchNormGradient.spreadMeans(
          tiles, sums: s, products: p, rows: options.statistics == .running ? nil : Double(options.rows),
          inverse: inverse, scale: run[scale], slope: run[slope], offset: run[offset])
        let g = sendsResidual ? run[dresidual] : run[dy]
        let made: UnsafeMutablePointer<Y> = run.scalars(dx)
        tiles.inputGradient(
          g, read, factors, rectified: recomputes, slope: run[slope], offset: run[offset], into: made)
      }
    }
  }

  /// Spreads what the means of g and g x̂ take from dx over the lanes of a tile: dx = g · scale + (x − mean) · slope + offset.
  /// No rows stand for constant statistics.
  static func spreadMeans(
    _ tiles: ChannelTiles, sums: UnsafePointer<Double>, products: UnsafePointer<Double>, rows: Double?,
    inverse: UnsafePointer<Float>, scale: UnsafePointer<Float>, slope: UnsafeMutablePointer<Float>,
    offset: UnsafeMutablePointer<Float>
  ) {
    for c in 0..<tiles.channels {
      let (a, deviation) = (Double(scale[c]), Double(inverse[c]))
      slope[c] = rows.map { Float(-a * deviation * deviation * products[c] / $0) } ?? 0
      offset[c] = rows.map { Float(-a * sums[c] / $0) } ?? 0
    }
    tiles.repeatFirst(slope)
    tiles.repeatFirst(offset)
  }
}

/// Count of rows, mean and sum of squared deviations of each channel of a shard, in one pass; after a meeting those of the
/// batch of all shards, which normalise it.
struct BatchMoments: Operation {
  let name = "batch norm moments"
  let tiles: ChannelTiles
  var meeting: Meeting.Combination? { .moments }
  var staysInStep: Bool { true }

  func readsRounded(_ input: Int) -> Bool { true }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { tiles.rows * tiles.channels * 5 }

  /// The numbers of a meeting: 1 + 2 · channels.
  static func output(_ options: BatchNormOptions) -> Recorder.Output {
    let count = 1 + 2 * options.channels
    return .opaque([count], bytes: 8 * count)
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    inputs[0].type == .bfloat16 ? lowering(BFloat16.self) : lowering(Float.self)
  }

  private func lowering<X: LaneScalar>(_ input: X.Type) -> Lowering {
    Lowering(scratchBytes: tiles.scratchBytes(sums: 2, factors: 0)) { at in
      let (x, moments) = (at.inputs[0], at.outputs[0])
      let (means, squares) = (at.scratch, at.scratch.advanced(by: PoolPlan.aligned(tiles.lanes * 8)))
      return { run in
        let (m, s) = (run.doubles(means), run.doubles(squares))
        let read: UnsafeMutablePointer<X> = run.scalars(x)
        tiles.moments(UnsafePointer(read), means: m, squares: s)
        let left = run.doubles(moments)
        left[0] = Double(tiles.rows)
        (left + 1).update(from: m, count: tiles.channels)
        (left + 1 + tiles.channels).update(from: s, count: tiles.channels)
      }
    }
  }
}

/// The second pass of ``BatchNormGradient`` where statistics are those of the batch of all shards.
///
/// Inputs: g, or dy where relu is worked out again, x, saved statistics, weight, bias, Σg and Σ g (x − mean) of the batch,
/// its moments.  Output: dx.
struct BatchNormInputGradient: Operation {
  let name = "batch norm input gradient"
  let options: BatchNormOptions
  var inPlace: [(input: Int, output: Int)] { [(0, 0), (1, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { output == 0 && !beside }
  func readsRounded(_ input: Int) -> Bool { input == 1 }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    options.rows * options.channels * 5
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    switch (inputs[1].type, outputs[0].type) {
    case (.bfloat16, .bfloat16): lowering(BFloat16.self, BFloat16.self)
    case (.bfloat16, _): lowering(BFloat16.self, Float.self)
    case (_, .bfloat16): lowering(Float.self, BFloat16.self)
    default: lowering(Float.self, Float.self)
    }
  }

  private func lowering<X: LaneScalar, Y: LaneScalar>(_ input: X.Type, _ output: Y.Type) -> Lowering {
    let tiles = options.tiles
    let factorBytes = PoolPlan.aligned(tiles.lanes * 4)
    return Lowering(scratchBytes: tiles.scratchBytes(sums: 0, factors: 5)) { at in
      let (g, x, saved, dx) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      let (weight, bias) = options.isAffine ? (at.inputs[3], at.inputs[4]) : (x, x)
      let (sums, moments) = (at.inputs[at.inputs.count - 2], at.inputs[at.inputs.count - 1])
      let centre = at.scratch
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      let (slope, offset) = (centre.advanced(by: 3 * factorBytes), centre.advanced(by: 4 * factorBytes))
      return { run in
        let read: UnsafeMutablePointer<X> = run.scalars(x)
        let factors = BatchNorm.factors(
          tiles, saved: run[saved], weight: options.isAffine ? run[weight] : nil,
          bias: options.isAffine ? run[bias] : nil, centre: run[centre], scale: run[scale], shift: run[shift])
        BatchNormGradient.spreadMeans(
          tiles, sums: run.doubles(sums), products: run.doubles(sums) + tiles.channels, rows: run.doubles(moments)[0],
          inverse: run[saved] + tiles.channels, scale: run[scale], slope: run[slope], offset: run[offset])
        let made: UnsafeMutablePointer<Y> = run.scalars(dx)
        tiles.inputGradient(
          run[g], UnsafePointer(read), factors, rectified: options.isRectified && !options.hasResidual,
          slope: run[slope], offset: run[offset], into: made)
      }
    }
  }
}

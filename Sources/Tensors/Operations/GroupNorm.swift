/// What a group normalisation is made of.
struct GroupNormOptions: Hashable, Sendable {
  let batch: Int
  let pixels: Int
  let channels: Int
  let groups: Int
  let epsilon: Float
  let isAffine: Bool

  /// Scalars that one mean is taken over.
  var count: Int { pixels * channels / groups }
  /// Channels of a group.
  var depth: Int { channels / groups }
  /// An image's pixels, as rows.
  var tiles: ChannelTiles { ChannelTiles(rows: pixels, channels: channels) }
}

/// y = (x − mean) / √(variance + ε) · weight + bias with mean and variance over each group of channels of each image (Wu
/// and He 2018); the second output holds, for each image, mean and 1/√(variance + ε) of the group of each channel.
struct GroupNorm: Operation {
  let name = "group norm"
  let options: GroupNormOptions
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    8 * options.batch * options.pixels * options.channels
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (tiles, channels, pixels) = (options.tiles, options.channels, options.pixels)
    let (sumBytes, factorBytes) = (PoolPlan.aligned(tiles.lanes * 8), PoolPlan.aligned(tiles.lanes * 4))
    return Lowering(scratchBytes: tiles.scratchBytes(sums: 2, factors: 3)) { at in
      let (x, y, saved) = (at.inputs[0], at.outputs[0], at.outputs[1])
      let (weight, bias) = options.isAffine ? (at.inputs[1], at.inputs[2]) : (x, x)
      let (means, squares) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let centre = at.scratch.advanced(by: 2 * sumBytes)
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      return { run in
        let (m, s) = (run.doubles(means), run.doubles(squares))
        for image in 0..<options.batch {
          let start = image &* pixels &* channels
          tiles.moments(run[x] + start, means: m, squares: s)
          let kept = run[saved] + image &* 2 &* channels
          GroupNorm.combine(options, m, s, into: kept)
          let factors = BatchNorm.factors(
            tiles, saved: kept, weight: options.isAffine ? run[weight] : nil, bias: options.isAffine ? run[bias] : nil,
            centre: run[centre], scale: run[scale], shift: run[shift])
          tiles.normalise(run[x] + start, factors, residual: nil, rectified: false, into: run[y] + start)
        }
      }
    }
  }

  /// Moments of channels to mean and 1/deviation of their groups, repeated for each channel.
  private static func combine(
    _ options: GroupNormOptions, _ means: UnsafePointer<Double>, _ squares: UnsafePointer<Double>,
    into kept: UnsafeMutablePointer<Float>
  ) {
    let (depth, pixels) = (options.depth, Double(options.pixels))
    for group in 0..<options.groups {
      let channels = group &* depth..<(group &+ 1) &* depth
      var mean = 0.0
      for c in channels { mean += means[c] }
      mean /= Double(depth)
      var total = 0.0
      for c in channels { total += squares[c] + pixels * (means[c] - mean) * (means[c] - mean) }
      let inverse = Float(1 / (total / Double(options.count) + Double(options.epsilon)).squareRoot())
      for c in channels { (kept[c], kept[options.channels &+ c]) = (Float(mean), inverse) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let slots = options.isAffine ? call.inputs[1...2].map(recorder.gradientSlot) : []
    let made = recorder.append(
      GroupNormGradient(options: options, accumulates: slots.map(\.accumulates)),
      [gradient, call.inputs[0], call.outputs[1]] + (options.isAffine ? [call.inputs[1]] : []),
      [.new(recorder.shape(call.inputs[0]))] + slots.map(\.output))
    for slot in slots { recorder.filled(slot) }
    recorder.contribute(made[0], to: call.inputs[0])
  }
}

/// Gradients of a group normalisation: those of `BatchNormGradient`, with sums over the channels of a group weighted by
/// `weight`, image by image.
struct GroupNormGradient: Operation {
  let name = "group norm gradient"
  let options: GroupNormOptions
  /// For weight and bias, whether to add to what is there; empty without them.
  let accumulates: [Bool]
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    9 * options.batch * options.pixels * options.channels
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (tiles, channels, pixels, depth) = (options.tiles, options.channels, options.pixels, options.depth)
    let isAffine = options.isAffine
    let (sumBytes, factorBytes) = (PoolPlan.aligned(tiles.lanes * 8), PoolPlan.aligned(tiles.lanes * 4))
    let factorStart = 2 * sumBytes + PoolPlan.aligned(2 * channels * 8)
    return Lowering(scratchBytes: factorStart + 5 * factorBytes) { at in
      let (dy, x, saved, dx) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      let weight = isAffine ? at.inputs[3] : x
      let targets = at.outputs
      let (sums, products) = (at.scratch, at.scratch.advanced(by: sumBytes))
      let totals = at.scratch.advanced(by: 2 * sumBytes)
      let centre = at.scratch.advanced(by: factorStart)
      let (scale, shift) = (centre.advanced(by: factorBytes), centre.advanced(by: 2 * factorBytes))
      let (slope, offset) = (centre.advanced(by: 3 * factorBytes), centre.advanced(by: 4 * factorBytes))
      return { run in
        let (s, p) = (run.doubles(sums), run.doubles(products))
        let (dweight, dbias) = (run.doubles(totals), run.doubles(totals) + channels)
        dweight.update(repeating: 0, count: 2 &* channels)
        for image in 0..<options.batch {
          let start = image &* pixels &* channels
          let kept = run[saved] + image &* 2 &* channels
          let inverse = kept + channels
          let factors = BatchNorm.factors(
            tiles, saved: kept, weight: isAffine ? run[weight] : nil, bias: isAffine ? run[weight] : nil,
            centre: run[centre], scale: run[scale], shift: run[shift])
          tiles.gradientSums(run[dy] + start, run[x] + start, factors, .none, sums: s, products: p)
          for group in 0..<options.groups {
            let members = group &* depth..<(group &+ 1) &* depth
            var (sum, product) = (0.0, 0.0)
            for c in members {
              let w = isAffine ? Double(run[weight][c]) : 1
              sum += w * s[c]
              product += w * p[c]
              dweight[c] += p[c] * Double(inverse[c])
              dbias[c] += s[c]
            }
            let deviation = Double(inverse[group &* depth])
            let n = Double(options.count)
            for c in members {
              run[slope][c] = Float(-deviation * deviation * deviation * product / n)
              run[offset][c] = Float(-deviation * sum / n)
            }
          }
          tiles.repeatFirst(run[slope])
          tiles.repeatFirst(run[offset])
          tiles.inputGradient(
            run[dy] + start, run[x] + start, factors, rectified: false, slope: run[slope], offset: run[offset],
            into: run[dx] + start)
        }
        guard isAffine else { return }
        for index in 0..<2 {
          let target = run[targets[index &+ 1]]
          for c in 0..<channels {
            target[c] = (accumulates[index] ? target[c] : 0) + Float(dweight[index &* channels &+ c])
          }
        }
      }
    }
  }
}

extension Recorder {
  /// Group normalisation: `x` is `[batch, …, channels]` with `groups` groups of neighbouring channels, the result too.
  /// `weight` and `bias` come together, one scalar a channel.
  public func groupNorm(
    _ x: Value, groups: Int, weight: Value? = nil, bias: Value? = nil, epsilon: Float = 1e-5
  ) -> Value {
    let (batch, channels) = (shape(x)[0], shape(x)[-1])
    precondition(
      shape(x).rank >= 2 && groups > 0 && channels % groups == 0, "group norm of \(shape(x)) in \(groups) groups")
    precondition((weight == nil) == (bias == nil), "group norm with a weight or a bias alone")
    for value in [weight, bias] {
      if let value { precondition(shape(value).count == channels, "group norm of \(shape(x)) by \(shape(value))") }
    }
    let options = GroupNormOptions(
      batch: batch, pixels: shape(x).count / batch / channels, channels: channels, groups: groups, epsilon: epsilon,
      isAffine: weight != nil)
    return append(
      GroupNorm(options: options), [x] + [weight, bias].compactMap { $0 },
      [.new(shape(x)), .new([batch, 2, channels])])[0]
  }
}

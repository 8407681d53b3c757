/// The goodness of each row of activities: Σ h² − width, the mean over positions (Hinton 2022, section 2).
struct Goodness: Operation {
  let name = "goodness"
  let rows: Int
  /// Scalars of a row.
  let size: Int
  /// Units; of images the channels.
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 2 * rows * size }

  /// The goodness of one row.
  @inline(__always)
  func of(_ row: UnsafePointer<Float>) -> Float {
    Float((Reductions.squares(row, size) - Double(size)) / Double(size / width))
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (h, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for row in 0..<rows { run[y][row] = of(run[h] + row &* size) }
      }
    }
  }
}

/// Binary cross entropy of the goodness of rows that are positive and negative in turn, with what the peer normalisation
/// adds; its gradient comes out of the same pass.
struct GoodnessLoss: Operation {
  let name = "goodness loss"
  let goodness: Goodness
  let options: GoodnessOptions
  var inPlace: [(input: Int, output: Int)] { [(0, 1)] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    6 * goodness.rows * goodness.size
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (rows, size, width) = (goodness.rows, goodness.size, goodness.width)
    let positions = size / width
    // Slopes of the peer loss, and the sum of a row over its positions.
    return Lowering(scratchBytes: 2 * PoolPlan.aligned(width * 4)) { at in
      let (h, means, report) = (at.inputs[0], at.inputs[1], at.outputs[0])
      let (gradient, statistic, scratch) = (at.outputs[1], at.outputs[2], at.scratch)
      return { run in
        let (slopes, sums) = (run[scratch], run[scratch] + PoolPlan.aligned(width &* 4) / 4)
        let mean = Float(Reductions.sum(run[means], width) / Double(width))
        let factor = options.peerSlope * run.targetWeight / Float(size)
        Pointwise.map(run[means], into: slopes, width) { factor * ($0 - mean) }
        let moved = run[statistic]
        moved.update(repeating: 0, count: width)
        var loss = 0.0
        for row in 0..<rows {
          let (from, to) = (run[h] + row &* size, run[gradient] + row &* size)
          let isPositive = row & 1 == 0
          var (logit, label, entropy, slope): (Float, Float, Float, Float) = (
            goodness.of(from), isPositive ? 1 : 0, 0, 0
          )
          TargetLosses.binaryCrossEntropy(&logit, &label, into: &entropy, 1)
          TargetLosses.binaryCrossEntropyGradient(&logit, &label, weight: run.targetWeight, into: &slope, 1)
          loss += 0.5 * Double(entropy)
          if isPositive {
            GoodnessLoss.sum(from, into: sums, positions: positions, width: width)
            Elementwise.add(moved, sums, moved, width)
          }
          // Half, because the mean is over two rows a sample; twice, because the goodness is a square.
          let scale = slope / Float(positions)
          if isPositive, options.peerSlope != 0 {
            GoodnessLoss.descend(
              from, into: to, scale: scale, slopes: slopes, positions: positions, width: width,
              masked: options.isMasked)
          } else {
            Elementwise.scale(from, by: scale, into: to, size)
          }
        }
        Elementwise.scale(moved, by: 2 * run.share / Float(rows &* positions), into: moved, width)
        run.doubles(report)[0] = loss
      }
    }
  }

  /// sums[c] = Σ over positions of h[p, c].
  @inline(never)
  private static func sum(
    _ h: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>, positions: Int, width: Int
  ) {
    sums.update(from: h, count: width)
    for position in 1..<max(1, positions) { Elementwise.add(sums, h + position &* width, sums, width) }
  }

  /// to = scale · h + slopes, the slopes only where h is not 0 if `masked`; `to` may be `h`.
  @inline(never)
  private static func descend(
    _ h: UnsafePointer<Float>, into to: UnsafeMutablePointer<Float>, scale: Float, slopes: UnsafePointer<Float>,
    positions: Int, width: Int, masked: Bool
  ) {
    let open: Float = masked ? 0 : 1
    for position in 0..<positions {
      let (from, into) = (h + position &* width, to + position &* width)
      var c = 0
      while c < width {
        let x = from[c]
        into[c] = scale * x + (x > 0 ? 1 : open) * slopes[c]
        c &+= 1
      }
    }
  }
}

/// What beside the goodness a forward-forward layer learns from.
public struct GoodnessOptions: Sendable {
  /// Weight of the peer normalisation, mean over units of (mean(m) − m)².
  public let peer: Float
  /// Share of the newest batch in the running means m.
  public let momentum: Float
  /// Whether units that are 0 get nothing of it, as the derivative of relu has it.
  public let isMasked: Bool

  /// What a layer learns from.
  public init(peer: Float, momentum: Float, isMasked: Bool) {
    (self.peer, self.momentum, self.isMasked) = (peer, momentum, isMasked)
  }

  /// ∂/∂h of the peer loss is this times (m − mean(m)) over the scalars of a row: each unit's mean moves by `momentum` times
  /// its activity.
  var peerSlope: Float { 2 * peer * momentum }
}

extension Recorder {
  /// Goodness of each row of activities `[rows, …, width]`: `[rows]`.
  public func goodness(_ h: Value) -> Value { append(goodnessOperation(h), [h], [.new([shape(h)[0]])])[0] }

  /// The loss of activities `[2 · samples, …, width]`, of which even rows are positive and odd ones negative: binary cross
  /// entropy of the goodness, the mean over both rows of a sample, reported as a Float64 sum; and the gradient by `h` of that
  /// and of the peer normalisation, scaled by the run's target weight.
  ///
  /// `means` is the running mean of each unit's positive activities.  The slope of the peer normalisation is that at the means
  /// before the step, so that it is a sum over samples; the authors' is at the means after it.
  public func goodnessLoss(_ h: Value, means: ModelState, _ options: GoodnessOptions) -> Value {
    precondition(
      shape(h)[0] % 2 == 0 && means.shape.count == shape(h)[-1] && !needsGradient(h),
      "goodness of \(shape(h)) with means \(means.shape)")
    return append(
      GoodnessLoss(goodness: goodnessOperation(h), options: options), [h, state(means)],
      [.existing(metrics(1)), .new(shape(h)), .existing(statistic(means))])[1]
  }

  private func goodnessOperation(_ h: Value) -> Goodness {
    Goodness(rows: shape(h)[0], size: shape(h).count / shape(h)[0], width: shape(h)[-1])
  }
}

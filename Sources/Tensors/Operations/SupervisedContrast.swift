#if canImport(Glibc)
  import Glibc
#endif

/// The loss that draws rows of a class together: −mean over the other rows p of i's class of log softmaxⱼ(zᵢ·zⱼ / τ)ₚ, summed
/// over rows i, with z the rows scaled to length 1 and j all other rows (Khosla et al. 2020, equation 2, one view of a sample);
/// in training its gradient comes out of the same pass.
///
/// A row without another of its class counts nothing (InfoPro's program divides by zero there).  Rows are those of a shard:
/// shards do not meet, so the loss depends on how many there are, though not on the number of ranks.
struct SupervisedContrast: Operation {
  let name = "supervised contrast"
  let rows: Int
  let width: Int
  let temperature: Float
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    (differentiates ? 6 : 2) * rows * rows * width
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let product = MatrixProduct(compute)
    let unitBytes = PoolPlan.aligned(rows * width * 4)
    let similarityBytes = PoolPlan.aligned(rows * rows * 4)
    return Lowering(scratchBytes: unitBytes + similarityBytes + rows * 4) { at in
      let (x, targets, report) = (at.inputs[0], at.inputs[1], at.outputs[0])
      let gradient = differentiates ? at.outputs[1] : at.scratch
      let similarities = at.scratch.advanced(by: unitBytes)
      let lengths = similarities.advanced(by: similarityBytes)
      return { run in
        let (z, s, length, classes) = (run[at.scratch], run[similarities], run[lengths], run.integers(targets))
        var row = 0
        while row < rows {
          let from = run[x] + row &* width
          length[row] = max(Float(Reductions.squares(from, width).squareRoot()), 1e-12)
          Elementwise.scale(from, by: 1 / length[row], into: z + row &* width, width)
          row &+= 1
        }
        product(
          z, lda: width, z, transposeB: true, ldb: width, into: s, ldc: rows, m: rows, n: rows, k: width,
          alpha: 1 / temperature)
        var sum = 0.0
        row = 0
        while row < rows {
          sum += SupervisedContrast.row(
            s + row &* rows, row, classes, rows, weight: run.targetWeight * weight / temperature)
          row &+= 1
        }
        run.doubles(report)[0] = sum
        if !differentiates { return }
        let dx = run[gradient]
        product(s, lda: rows, z, ldb: width, into: dx, ldc: width, m: rows, n: width, k: rows)
        product(
          s, transposeA: true, lda: rows, z, ldb: width, into: dx, ldc: width, m: rows, n: width, k: rows, beta: 1)
        row = 0
        while row < rows {
          SupervisedContrast.project(dx + row &* width, z + row &* width, length: length[row], width)
          row &+= 1
        }
      }
    }
  }

  /// The loss of row i from its similarities s, which become their gradients.
  @inline(never)
  private static func row(
    _ s: UnsafeMutablePointer<Float>, _ i: Int, _ classes: UnsafePointer<Int32>, _ rows: Int, weight: Float
  ) -> Double {
    var largest = -Float.infinity
    var (friends, friendly) = (0, 0.0)
    var j = 0
    while j < rows {
      if j != i {
        largest = max(largest, s[j])
        if classes[j] == classes[i] {
          friends &+= 1
          friendly += Double(s[j])
        }
      }
      j &+= 1
    }
    guard friends > 0 else {
      s.update(repeating: 0, count: rows)
      return 0
    }
    j = 0
    while j < rows {
      s[j] = Elementary.exp(s[j] - largest)
      j &+= 1
    }
    s[i] = 0
    let total = Reductions.sum(s, rows)
    let (factor, share) = (weight / Float(total), weight / Float(friends))
    j = 0
    while j < rows {
      s[j] *= factor
      if classes[j] == classes[i], j != i { s[j] -= share }
      j &+= 1
    }
    return log(total) + Double(largest) - friendly / Double(friends)
  }

  /// dx = (dz − z (z·dz)) / length: what scaling to length 1 lets through.
  @inline(never)
  private static func project(
    _ dz: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, length: Float, _ width: Int
  ) {
    let along = Float(Reductions.dot(z, dz, width))
    var i = 0
    while i < width {
      dz[i] = (dz[i] - along * z[i]) / length
      i &+= 1
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

extension Recorder {
  /// The supervised contrastive loss of the rows of `x`, `[rows, width]`, whose classes `targets` holds as Int32, reported as a
  /// Float64 sum over rows.  The gradient is scaled by `weight` and the run's target weight.  Cost: 6 · rows² · width.
  public func supervisedContrast(_ x: Value, _ targets: Value, temperature: Float, weight: Float = 1) -> Value {
    let (rows, width) = (shape(x)[0], shape(x)[-1])
    precondition(
      shape(x).rank == 2 && self[targets].type == .int32 && shape(targets).count == rows && temperature > 0,
      "classes \(shape(targets)) for \(shape(x)) at temperature \(temperature)")
    let operation = SupervisedContrast(
      rows: rows, width: width, temperature: temperature, weight: weight, differentiates: mode == .training)
    return append(
      operation, [x, targets], [.existing(metrics(1))] + (mode == .training ? [.new(shape(x))] : []))[0]
  }
}

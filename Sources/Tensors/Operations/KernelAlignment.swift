/// One minus the linear centred kernel alignment of two representations of the same samples (Kornblith et al. 2019), with the
/// gradient for the first in the same pass.
struct KernelAlignment: Operation {
  let name = "kernel alignment"
  let rows: Int
  let width: Int
  let guideWidth: Int
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * rows * rows * ((differentiates ? 2 : 1) * width + guideWidth)
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let product = MatrixProduct(compute)
    let (widest, square) = (max(width, guideWidth), rows * rows)
    return Lowering(scratchBytes: (widest * (rows + 1) + 2 * square) * 4) { at in
      let (x, guide, report, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let gradient = differentiates ? at.outputs[1] : scratch
      return { run in
        let centred = run[scratch]
        let mean = centred + rows &* widest
        let (k, l) = (mean + widest, mean + widest + square)
        func gram(_ rowsOf: UnsafePointer<Float>, _ columns: Int, into matrix: UnsafeMutablePointer<Float>) {
          KernelAlignments.centre(rowsOf, into: centred, mean: mean, rows: rows, columns: columns)
          product(
            centred, lda: columns, centred, transposeB: true, ldb: columns, into: matrix, ldc: rows, m: rows, n: rows,
            k: columns)
        }
        gram(run[guide], guideWidth, into: l)
        gram(run[x], width, into: k)
        let (kk, ll) = (Reductions.squares(k, square), Reductions.squares(l, square))
        let size = (kk * ll).squareRoot()
        let similarity = size > 0 ? Reductions.dot(k, l, square) / size : size
        run.doubles(report)[0] = (1 - similarity) * Double(run.share)
        guard differentiates else { return }
        // d(1 − CKA)/dK = −L / (‖K‖ ‖L‖) + CKA K / ‖K‖²; K and L are centred, so that dX = 2 dK X.
        let scale = 2 * Double(weight * run.share)
        let (fromK, fromL) = size > 0 ? (Float(scale * similarity / kk), Float(-scale / size)) : (0, 0)
        KernelAlignments.combine(k, by: fromK, l, by: fromL, square)
        product(
          k, lda: rows, centred, ldb: width, into: run[gradient], ldc: width, m: rows, n: width, k: rows)
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }
}

/// Kernels of ``KernelAlignment``.
enum KernelAlignments {
  /// y = x − the mean over rows, which goes to `mean`.
  static func centre(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, rows: Int,
    columns: Int
  ) {
    Rows.sum(x, into: mean, rows: rows, columns: columns, accumulate: false)
    Elementwise.scale(mean, by: 1 / Float(rows), into: mean, columns)
    for row in 0..<rows {
      TargetLosses.differences(x + row &* columns, mean, into: y + row &* columns, columns)
    }
  }

  /// x ← a x + b y.
  static func combine(
    _ x: UnsafeMutablePointer<Float>, by a: Float, _ y: UnsafePointer<Float>, by b: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      x[i] = a * x[i] + b * y[i]
      i &+= 1
    }
  }
}

extension Recorder {
  /// The loss 1 − CKA(x, guide) with CKA = ⟨K, L⟩ / (‖K‖ ‖L‖) for the Gram matrices K and L of the centred samples of a shard.
  ///
  /// `x` is `[batch, …]`, `guide` is `[batch, …]` and gets no gradient.  Reported, and scaled besides `weight`, by the shard's
  /// share of the step's samples: the mean over shards, each by itself, not what the whole batch would give.  A
  /// representation that is the same for all samples counts as CKA 0, without gradient.  Cost: 2 · batch² · (2 · scalars of x +
  /// scalars of guide) operations.
  public func kernelAlignment(_ x: Value, guide: Value, weight: Float = 1) -> Value {
    let rows = shape(x)[0]
    precondition(shape(guide)[0] == rows, "aligning \(shape(x)) with \(shape(guide))")
    return append(
      KernelAlignment(
        rows: rows, width: shape(x).count / rows, guideWidth: shape(guide).count / rows, weight: weight,
        differentiates: mode == .training),
      [x, guide], [.existing(metrics(1))] + (mode == .training ? [.new(shape(x))] : []))[0]
  }
}

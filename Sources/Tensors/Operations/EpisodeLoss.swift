/// The loss of an episode of few-shot learning (Snell, Swersky, Zemel 2017, equations 1 and 2): prototypes p are the means of
/// each class's supports, and a query q pays −log softmax(−‖q − p‖²) of its class; in training the gradient comes out of the
/// same pass.
///
/// ‖q‖² is the same for all classes, so that 2 q·p − ‖p‖² will do for logits and all work is in three products:
///
///     G = (softmax − target) · weight      dq = 2 G p      dp = 2 (Gᵀ q − Σ_queries G ∘ p),  1 / shots of it to each support
struct EpisodeLoss: Operation {
  let name = "episode loss"
  let shape: EpisodeShape
  /// Scalars of an embedding.
  let width: Int
  let weight: Float
  /// Whether a second output takes the gradient.
  let differentiates: Bool
  // All of the embeddings is read before any of the gradient is written.
  var inPlace: [(input: Int, output: Int)] { differentiates ? [(0, 1)] : [] }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    (differentiates ? 6 : 2) * shape.queryRows * shape.ways * width
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (shape, width, differentiates) = (shape, width, differentiates)
    let product = MatrixProduct(compute)
    let places = Places(shape, width)
    return Lowering(scratchBytes: places.bytes) { at in
      let (input, report) = (at.inputs[0], at.outputs[0])
      let gradient = differentiates ? at.outputs[1] : input
      return { run in
        let work = Work(shape, width, places, run.bytes(at.scratch))
        let sums = work.losses(
          of: run[input], weight: differentiates ? run.targetWeight * weight : nil, product)
        run.doubles(report)[0] = sums.loss
        run.doubles(report)[1] = sums.correct
        if differentiates { work.gradient(run[input], into: run[gradient], product) }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    recorder.contribute(call.outputs[1], to: call.inputs[0])
  }

  /// Where what is worked out lies in the scratch memory, in bytes.
  private struct Places {
    /// Rows of logits at a time.
    let block: Int
    let pulls, logits, norms, targets, notes: Int
    let bytes: Int

    init(_ shape: EpisodeShape, _ width: Int) {
      func end(_ start: Int, _ bytes: Int) -> Int { (start + bytes + 63) & ~63 }
      block = min(shape.queryRows, SoftmaxLoss.block(shape.ways))
      pulls = end(0, 4 * shape.ways * width)
      logits = end(pulls, 4 * shape.ways * width)
      norms = end(logits, 4 * shape.queryRows * shape.ways)
      targets = end(norms, 4 * shape.ways)
      notes = end(targets, 4 * shape.queryRows)
      bytes = end(notes, 16 * block)
    }
  }

  /// One run.
  private struct Work {
    private let shape: EpisodeShape
    private let width: Int
    private let block: Int
    /// `[ways, width]`.
    private let prototypes: UnsafeMutablePointer<Float>
    /// What the queries do to the prototypes, `[ways, width]`.
    private let pulls: UnsafeMutablePointer<Float>
    /// `[ways · queries, ways]`; G once the losses are there.
    private let logits: UnsafeMutablePointer<Float>
    /// −‖p‖², then sums over G's columns.
    private let norms: UnsafeMutablePointer<Float>
    private let targets: UnsafeMutablePointer<Int32>
    private let notes: UnsafeMutablePointer<(offset: Double, hit: Double)>

    @inline(__always)
    init(_ shape: EpisodeShape, _ width: Int, _ places: Places, _ scratch: UnsafeMutableRawPointer) {
      self.shape = shape
      self.width = width
      block = places.block
      prototypes = scratch.assumingMemoryBound(to: Float.self)
      pulls = (scratch + places.pulls).assumingMemoryBound(to: Float.self)
      logits = (scratch + places.logits).assumingMemoryBound(to: Float.self)
      norms = (scratch + places.norms).assumingMemoryBound(to: Float.self)
      targets = (scratch + places.targets).assumingMemoryBound(to: Int32.self)
      notes = (scratch + places.notes).assumingMemoryBound(to: (offset: Double, hit: Double).self)
    }

    /// Sums over queries; leaves prototypes, and G where there is a weight.
    func losses(
      of embeddings: UnsafePointer<Float>, weight: Float?, _ product: MatrixProduct
    ) -> SoftmaxLoss.Sums {
      let (ways, rows) = (shape.ways, shape.queryRows)
      for way in 0..<ways {
        let prototype = prototypes + way &* width
        Rows.sum(
          embeddings + way &* shape.shots &* width, into: prototype, rows: shape.shots, columns: width,
          accumulate: false)
        Elementwise.scale(prototype, by: 1 / Float(shape.shots), into: prototype, width)
        norms[way] = -Float(Reductions.squares(prototype, width))
        (targets + way &* shape.queries).update(repeating: Int32(truncatingIfNeeded: way), count: shape.queries)
      }
      product(
        embeddings + shape.supportRows &* width, lda: width, prototypes, transposeB: true, ldb: width, into: logits,
        ldc: ways, m: rows, n: ways, k: width, alpha: 2)
      Rows.add(norms, toRowsOf: logits, rows: rows, columns: ways)
      var sums = SoftmaxLoss.Sums()
      var first = 0
      while first < rows {
        let start = logits + first &* ways
        SoftmaxLoss.rows(
          start, targets + first, into: start, rows: min(block, rows &- first), classes: ways, smoothing: 0,
          weight: weight, notes: notes, &sums)
        first &+= block
      }
      return sums
    }

    /// The gradient of all rows, once the losses are there; it may lie where the embeddings do.
    func gradient(
      _ embeddings: UnsafePointer<Float>, into gradient: UnsafeMutablePointer<Float>, _ product: MatrixProduct
    ) {
      let (ways, rows, shots) = (shape.ways, shape.queryRows, shape.shots)
      let share = 2 / Float(shots)
      Rows.sum(logits, into: norms, rows: rows, columns: ways, accumulate: false)
      for way in 0..<ways {
        Elementwise.scale(prototypes + way &* width, by: -share * norms[way], into: pulls + way &* width, width)
      }
      product(
        logits, transposeA: true, lda: ways, embeddings + shape.supportRows &* width, ldb: width, into: pulls,
        ldc: width, m: ways, n: width, k: rows, alpha: share, beta: 1)
      product(
        logits, lda: ways, prototypes, ldb: width, into: gradient + shape.supportRows &* width, ldc: width, m: rows,
        n: width, k: ways, alpha: 2)
      for row in 0..<shape.supportRows {
        (gradient + row &* width).update(from: pulls + row / shots &* width, count: width)
      }
    }
  }
}

extension Recorder {
  /// Cross entropy of an episode's queries over minus their squared distances to the means of each class's supports.
  ///
  /// `embeddings` is `[shape.rows, width]` in the order of ``EpisodeShape``.  Reports two sums over queries: losses, and
  /// queries whose nearest mean (the first of several) is their class's.  The gradient is scaled by `weight` and the run's
  /// target weight: one over the queries of the step makes it that of the mean.
  public func episodeLoss(_ embeddings: Value, _ shape: EpisodeShape, weight: Float = 1) -> Value {
    let extents = self.shape(embeddings)
    precondition(extents.rank == 2 && extents[0] == shape.rows, "embeddings \(extents) of an episode of \(shape.rows)")
    let operation = EpisodeLoss(
      shape: shape, width: extents[1], weight: weight, differentiates: mode == .training)
    return append(
      operation, [embeddings], [.existing(metrics(2))] + (mode == .training ? [.new(extents)] : []))[0]
  }
}

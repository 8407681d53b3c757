import Tensors

/// A matrix as a product of two thin ones, PowerSGD (Vogels, Karimireddy, Jaggi, NeurIPS 2019, algorithm 1), one step of power
/// iteration from the factor of the step before.
///
/// With M rows×columns, P rows×r and Q columns×r, kept transposed, r rows each:
///
///     orthonormalise Q;  P = M Q;  sum P over workers;  orthonormalise P;  Q = Mᵀ P;  mean of Q;  M̂ = P Qᵀ;  e = M − M̂
///
/// Messages: P, 4 · r · rows bytes, and Q, 4 · r · columns bytes.  The sums are linear, so they may be all-reduced.
/// The first orthonormalisation is that of the authors' code: without it gradients of norm 1e-4 are lost.
/// Products are the library's on one thread, whose order of addition shapes alone decide.  NaN and infinities in M reach P, and
/// through it all of M̂ as NaN.  Cost: two reads of M, and one read and write for each reconstruction; 2 · r · rows · columns
/// operations each.
public struct LowRank: Sendable {
  /// Rows of the matrix.
  public let rows: Int
  /// Columns of the matrix.
  public let columns: Int
  /// r.
  public let rank: Int
  private let product: MatrixProduct

  /// A matrix of a fixed shape.  `rank` is at most the smaller extent.
  public init(rows: Int, columns: Int, rank: Int, compute: Compute = Compute()) {
    precondition(rank > 0 && rank <= min(rows, columns), "rank \(rank) of \(rows)×\(columns)")
    (self.rows, self.columns, self.rank) = (rows, columns, rank)
    product = MatrixProduct(compute)
  }

  /// Whether the factors are less than half as large as the matrix: (rows + columns) · r · 2 < rows · columns.
  public static func pays(rows: Int, columns: Int, rank: Int) -> Bool {
    (rows + columns) * rank * 2 < rows * columns && rank <= min(rows, columns)
  }

  /// Scalars of P.
  public var leftCount: Int { rank * rows }
  /// Scalars of Q.
  public var rightCount: Int { rank * columns }

  /// The first Q: normal numbers by seed, step and bucket, the same for all workers.
  public func initialise(_ right: UnsafeMutablePointer<Float>, key: CompressionKey) {
    var stream = key.sharedStream
    for i in 0..<rightCount { right[i] = stream.normal() }
  }

  /// Makes the columns of P orthonormal.
  public func orthonormalise(left: UnsafeMutablePointer<Float>) {
    GramSchmidt.orthonormalise(left, count: rank, length: rows)
  }

  /// Makes the columns of Q orthonormal.
  public func orthonormalise(right: UnsafeMutablePointer<Float>) {
    GramSchmidt.orthonormalise(right, count: rank, length: columns)
  }

  /// P = M Q.
  public func multiply(
    _ matrix: UnsafePointer<Float>, right: UnsafePointer<Float>, into left: UnsafeMutablePointer<Float>
  ) {
    LibraryThreads.limitToOne()
    product(
      right, lda: columns, matrix, transposeB: true, ldb: columns, into: left, ldc: rows, m: rank, n: rows, k: columns)
  }

  /// Q = Mᵀ P.
  public func multiply(
    _ matrix: UnsafePointer<Float>, left: UnsafePointer<Float>, into right: UnsafeMutablePointer<Float>
  ) {
    LibraryThreads.limitToOne()
    product(left, lda: rows, matrix, ldb: columns, into: right, ldc: columns, m: rank, n: columns, k: rows)
  }

  /// target ← target + scale · P Qᵀ: with −1 on M, the residual.
  public func add(
    left: UnsafePointer<Float>, right: UnsafePointer<Float>, scaledBy scale: Float,
    to target: UnsafeMutablePointer<Float>
  ) {
    LibraryThreads.limitToOne()
    product(
      left, transposeA: true, lda: rows, right, ldb: columns, into: target, ldc: columns, m: rows, n: columns, k: rank,
      alpha: scale, beta: 1)
  }
}

import COneDNN

/// C ← op(A) op(B) + β C for row-major matrices, by the library of a plan.
package struct MatrixProduct: Sendable {
  private let openBLAS: OpenBLAS?

  /// The product of a backend; OpenBLAS must have been loaded successfully (`Compute.check`).
  package init(_ compute: Compute) {
    switch compute.backend {
    case .onednn: openBLAS = nil
    case .openblas:
      guard case .success(let library) = OpenBLAS.loaded else { preconditionFailure("OpenBLAS is not loaded") }
      openBLAS = library
    }
  }

  /// `a` is m×k (k×m where transposed), `b` is k×n (n×k where transposed), `c` is m×n; `lda`, `ldb`, `ldc` are scalars from
  /// one row to the next.
  @inline(__always)
  package func callAsFunction(
    _ a: UnsafePointer<Float>, transposeA: Bool = false, lda: Int, _ b: UnsafePointer<Float>,
    transposeB: Bool = false, ldb: Int, into c: UnsafeMutablePointer<Float>, ldc: Int, m: Int, n: Int, k: Int,
    alpha: Float = 1, beta: Float = 0
  ) {
    if let openBLAS {
      openBLAS.sgemm(
        101, transposeA ? 112 : 111, transposeB ? 112 : 111, Int32(truncatingIfNeeded: m), Int32(truncatingIfNeeded: n),
        Int32(truncatingIfNeeded: k), alpha, a, Int32(truncatingIfNeeded: lda), b, Int32(truncatingIfNeeded: ldb), beta,
        c, Int32(truncatingIfNeeded: ldc))
    } else {
      nndist_sgemm(transposeA ? 84 : 78, transposeB ? 84 : 78, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
    }
  }
}

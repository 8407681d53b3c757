/// A product of two matrices to be timed: C = A B, all of them row by row.  Its best speed is what a core can compute.
public final class ProductLoop {
  /// Rows of A and C.
  public let m: Int
  /// Columns of B and C.
  public let n: Int
  /// Columns of A, rows of B.
  public let k: Int
  private let product: MatrixProduct
  private let a: Storage
  private let b: Storage
  private let c: Storage

  /// Matrices of random numbers, multiplied by a backend whose library is there (`Compute.check`).
  public init(m: Int, n: Int, k: Int, _ compute: Compute) {
    (self.m, self.n, self.k) = (m, n, k)
    product = MatrixProduct(compute)
    (a, b, c) = (Storage(zeros: m * k), Storage(zeros: k * n), Storage(zeros: m * n))
    var random = RandomStream(seed: 1, .test)
    for storage in [a, b] {
      for i in 0..<storage.count { storage.base[i] = random.uniform() - 0.5 }
    }
  }

  /// Floating-point operations of a product; a multiply and an add count as two.
  public var flops: Int { 2 * m * n * k }

  /// Multiplies once, on the calling thread.
  public func run() {
    LibraryThreads.limitToOne()
    product(a.base, lda: k, b.base, ldb: n, into: c.base, ldc: n, m: m, n: n, k: k)
  }
}

import Compression
import Tensors
import Testing

@Suite("Low rank")
struct LowRankTests {
  /// What one round leaves, on a copy of the matrix.
  struct Round {
    var left: [Float]
    var right: [Float]
    var residual: [Float]
    var approximation: [Float]

    init(_ low: LowRank, _ matrix: [Float], right start: [Float]) {
      (left, right) = ([Float](repeating: 0, count: low.leftCount), start)
      (residual, approximation) = (matrix, [Float](repeating: 0, count: matrix.count))
      low.orthonormalise(right: &right)
      low.multiply(matrix, right: right, into: &left)
      low.orthonormalise(left: &left)
      low.multiply(matrix, left: left, into: &right)
      low.add(left: left, right: right, scaledBy: -1, to: &residual)
      low.add(left: left, right: right, scaledBy: 1, to: &approximation)
    }
  }

  static func start(_ low: LowRank) -> [Float] {
    var right = [Float](repeating: 0, count: low.rightCount)
    low.initialise(&right, key: CompressionKey(seed: 1, step: 0, worker: 7))
    return right
  }

  /// Modified Gram-Schmidt on columns, in Float64.
  static func orthonormal(_ columns: [[Double]]) -> [[Double]] {
    var done: [[Double]] = []
    for var column in columns {
      for other in done {
        let share = zip(column, other).reduce(0) { $0 + $1.0 * $1.1 }
        column = zip(column, other).map { $0 - share * $1 }
      }
      let norm = column.reduce(0) { $0 + $1 * $1 }.squareRoot()
      done.append(column.map { $0 / norm })
    }
    return done
  }

  static let shapes = [(1, 1, 1), (3, 17, 1), (17, 3, 3), (64, 129, 4), (255, 100, 2)]

  @Test("Factors and approximation follow the equations", arguments: shapes, [Compute.Backend.onednn, .openblas])
  func equations(_ shape: (Int, Int, Int), _ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    let (rows, columns, rank) = shape
    let low = LowRank(rows: rows, columns: columns, rank: rank, compute: compute)
    let matrix = Sample.normal(rows * columns)
    let start = Self.start(low)
    let m = (0..<rows).map { row in (0..<columns).map { Double(matrix[row * columns + $0]) } }
    let q = Self.orthonormal((0..<rank).map { r in (0..<columns).map { Double(start[r * columns + $0]) } })
    let p = Self.orthonormal(q.map { q in m.map { row in zip(row, q).reduce(0) { $0 + $1.0 * $1.1 } } })
    let back = p.map { p in (0..<columns).map { c in (0..<rows).reduce(0) { $0 + m[$1][c] * p[$1] } } }
    let round = Round(low, matrix, right: start)
    for r in 0..<rank {
      #expect((0..<rows).allSatisfy { abs(Double(round.left[r * rows + $0]) - p[r][$0]) < 2e-5 })
      #expect((0..<columns).allSatisfy { abs(Double(round.right[r * columns + $0]) - back[r][$0]) < 2e-5 })
    }
    for i in 0..<(rows * columns) {
      let expected = (0..<rank).reduce(0) { $0 + p[$1][i / columns] * back[$1][i % columns] }
      #expect(abs(Double(round.approximation[i]) - expected) < 2e-5)
      #expect(abs(round.approximation[i] + round.residual[i] - matrix[i]) < 1e-6)
    }
  }

  @Test("A matrix of the rank is met exactly, however small", arguments: [1, 1e-4, 1e-15, 1e-30] as [Float])
  func exact(_ scale: Float) {
    let (rows, columns, rank) = (33, 57, 3)
    let low = LowRank(rows: rows, columns: columns, rank: rank)
    let (a, b) = (Sample.normal(rows * rank), Sample.normal(columns * rank, seed: 2))
    let matrix = (0..<(rows * columns)).map { i -> Float in
      scale * (0..<rank).reduce(0) { $0 + a[$1 * rows + i / columns] * b[$1 * columns + i % columns] }
    }
    let round = Round(low, matrix, right: Self.start(low))
    let largest = matrix.map(abs).max()!
    #expect(round.residual.allSatisfy { abs($0) < 2e-6 * largest })
  }

  @Test("Vectors become orthonormal, also dependent ones and zeros", arguments: [1, 2, 5, 17])
  func orthonormality(_ count: Int) {
    for length in [17, 4097] {
      let dependent: [Float] = (0..<count).flatMap { row -> [Float] in
        Sample.normal(length, seed: UInt64(row / 2)).map { $0 * Float(row) }
      }
      for vectors in [Sample.normal(count * length), dependent, [Float](repeating: 0, count: count * length)] {
        var vectors = vectors
        GramSchmidt.orthonormalise(&vectors, count: count, length: length)
        for i in 0..<count {
          for j in 0...i {
            let dot = (0..<length).reduce(0.0) {
              $0 + Double(vectors[i * length + $1]) * Double(vectors[j * length + $1])
            }
            #expect(abs(dot - (i == j ? 1 : 0)) < 1e-5)
          }
        }
      }
    }
  }

  @Test("A matrix of zeros stays zeros, and the next one is approximated")
  func zeros() {
    let low = LowRank(rows: 20, columns: 30, rank: 2)
    let first = Round(low, [Float](repeating: 0, count: 600), right: Self.start(low))
    #expect(first.approximation.allSatisfy { $0 == 0 })
    let matrix: [Float] = (0..<600).map { (place: Int) -> Float in Float((place / 30 + 1) * (place % 30 - 7)) }
    let second = Round(low, matrix, right: first.right)
    #expect(second.residual.allSatisfy { abs($0) < 1e-3 })
  }

  @Test("What is not finite shows", arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(_ value: Float) {
    let low = LowRank(rows: 20, columns: 30, rank: 2)
    var matrix = Sample.normal(600)
    matrix[333] = value
    #expect(Round(low, matrix, right: Self.start(low)).approximation.contains { !$0.isFinite })
  }

  @Test("Bits depend neither on addresses nor on the run")
  func deterministic() {
    let low = LowRank(rows: 129, columns: 517, rank: 4)
    let matrix = Sample.normal(129 * 517)
    let start = Self.start(low)
    let expected = Round(low, matrix, right: start)
    for offset in 0..<5 {
      let memory = Storage(zeros: matrix.count + offset)
      for i in matrix.indices { memory.base[offset + i] = matrix[i] }
      var (left, right) = ([Float](repeating: 0, count: low.leftCount), start)
      low.orthonormalise(right: &right)
      low.multiply(memory.base + offset, right: right, into: &left)
      low.orthonormalise(left: &left)
      low.multiply(memory.base + offset, left: left, into: &right)
      low.add(left: left, right: right, scaledBy: -1, to: memory.base + offset)
      #expect(bits(left) == bits(expected.left))
      #expect(bits(right) == bits(expected.right))
      #expect(matrix.indices.allSatisfy { memory.base[offset + $0].bitPattern == expected.residual[$0].bitPattern })
    }
  }

  @Test("Compression pays where both factors are less than half the matrix")
  func pays() {
    #expect(LowRank.pays(rows: 10, columns: 10, rank: 2))
    #expect(!LowRank.pays(rows: 8, columns: 8, rank: 2))
    #expect(!LowRank.pays(rows: 1, columns: 1000, rank: 1))
  }
}

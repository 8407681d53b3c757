extension RandomStream {
  /// So many orthonormal vectors of `width` ≥ `count` numbers: normal ones, each less what it has of those before (Gram and
  /// Schmidt, twice, against rounding).
  mutating func orthonormal(_ count: Int, of width: Int) -> [[Double]] {
    precondition(count <= width, "\(count) orthonormal vectors of \(width) numbers")
    var vectors: [[Double]] = []
    for _ in 0..<count {
      var vector = (0..<width).map { _ in normalDouble() }
      for known in vectors + vectors {
        let share = zip(vector, known).reduce(0) { $0 + $1.0 * $1.1 }
        for i in 0..<width { vector[i] -= share * known[i] }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vectors.append(vector.map { $0 / norm })
    }
    return vectors
  }
}

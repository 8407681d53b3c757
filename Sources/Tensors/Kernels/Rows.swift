/// Loops over the rows of row-major matrices.
enum Rows {
  /// y[r, c] += x[c].
  @inline(never)
  static func add(
    _ x: UnsafePointer<Float>, toRowsOf y: UnsafeMutablePointer<Float>, rows: Int, columns: Int
  ) {
    var row = y
    for _ in 0..<rows {
      var c = 0
      while c < columns {
        row[c] += x[c]
        c &+= 1
      }
      row += columns
    }
  }

  /// y[c] = Σ_r x[r, c] (+ y[c]), in order of rows within blocks of 64, blocks in order: short chains keep the error low.
  @inline(never)
  static func sum<Scalar: LaneScalar>(
    _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Float>, rows: Int, columns: Int, accumulate: Bool
  ) {
    var c = 0
    while c &+ 32 <= columns {
      var (total0, total1) = (SIMD16<Float>.zero, SIMD16<Float>.zero)
      var first = 0
      while first < rows {
        let last = min(first &+ 64, rows)
        var (partial0, partial1) = (SIMD16<Float>.zero, SIMD16<Float>.zero)
        var row = x + (first &* columns &+ c)
        for _ in first..<last {
          partial0 += row.widened(0)
          partial1 += row.widened(16)
          row += columns
        }
        total0 += partial0
        total1 += partial1
        first = last
      }
      let target = UnsafeMutableRawPointer(y + c)
      if accumulate {
        total0 += target.loadUnaligned(as: SIMD16<Float>.self)
        total1 += target.loadUnaligned(fromByteOffset: 64, as: SIMD16<Float>.self)
      }
      target.storeBytes(of: total0, as: SIMD16<Float>.self)
      target.storeBytes(of: total1, toByteOffset: 64, as: SIMD16<Float>.self)
      c &+= 32
    }
    while c < columns {
      var total: Float = 0
      var first = 0
      while first < rows {
        let last = min(first &+ 64, rows)
        var partial: Float = 0
        for r in first..<last { partial += x[r &* columns &+ c].float }
        total += partial
        first = last
      }
      y[c] = accumulate ? y[c] + total : total
      c &+= 1
    }
  }
}

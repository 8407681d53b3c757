/// Loops that normalise rows: each row is read from memory once and then from the first-level cache.
enum LayerNormalisation {
  /// y = (x − mean) / √(variance + ε) · weight + bias for every row; `saved` gets mean and 1/√(variance + ε) of each row.
  @inline(never)
  static func forward<Scalar: LaneScalar>(
    _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, rows: Int, width: Int,
    epsilon: Double, into y: UnsafeMutablePointer<Scalar>, saved: UnsafeMutablePointer<Float>
  ) {
    let vectors = width & ~15
    for row in 0..<rows {
      let (x, y) = (x + row &* width, y + row &* width)
      let mean = Float(sum(x, width) / Double(width))
      let (shift, squares) = deviations(x, mean, width)
      // The rounded mean is off by shift/width, which the variance takes back.
      let variance = (squares - shift * shift / Double(width)) / Double(width)
      let inverse = Float(1 / ((variance < 0 ? 0 : variance) + epsilon).squareRoot())
      (saved[2 &* row], saved[2 &* row &+ 1]) = (mean, inverse)
      var i = 0
      if let weight, let bias {
        while i < vectors {
          y.round((x.lanes(i) - mean) * inverse * weight.lanes(i) + bias.lanes(i), i)
          i &+= 16
        }
        while i < width {
          y[i] = Scalar((x[i] - mean) * inverse * weight[i] + bias[i])
          i &+= 1
        }
      } else {
        while i < vectors {
          y.round((x.lanes(i) - mean) * inverse, i)
          i &+= 16
        }
        while i < width {
          y[i] = Scalar((x[i] - mean) * inverse)
          i &+= 1
        }
      }
    }
  }

  @inline(__always)
  private static func sum(_ x: UnsafePointer<Float>, _ width: Int) -> Double {
    var (sum0, sum1) = (Lanes.zero, Lanes.zero)
    var i = 0
    while i &+ 32 <= width {
      sum0 += x.lanes(i)
      sum1 += x.lanes(i &+ 16)
      i &+= 32
    }
    if i &+ 16 <= width {
      sum0 += x.lanes(i)
      i &+= 16
    }
    var total = (sum0 + sum1).widenedTotal
    while i < width {
      total += Double(x[i])
      i &+= 1
    }
    return total
  }

  /// Σ (x − mean) and Σ (x − mean)².
  @inline(__always)
  private static func deviations(_ x: UnsafePointer<Float>, _ mean: Float, _ width: Int) -> (Double, Double) {
    var (sum, squares) = (Lanes.zero, Lanes.zero)
    var (sum1, squares1) = (Lanes.zero, Lanes.zero)
    var i = 0
    while i &+ 32 <= width {
      let (d, d1) = (x.lanes(i) - mean, x.lanes(i &+ 16) - mean)
      sum += d
      sum1 += d1
      squares += d * d
      squares1 += d1 * d1
      i &+= 32
    }
    sum += sum1
    squares += squares1
    while i &+ 16 <= width {
      let d = x.lanes(i) - mean
      sum += d
      squares += d * d
      i &+= 16
    }
    var (total, totalSquares) = (sum.widenedTotal, squares.widenedTotal)
    while i < width {
      let d = Double(x[i] - mean)
      total += d
      totalSquares += d * d
      i &+= 1
    }
    return (total, totalSquares)
  }

  /// dx = (g − mean(g) − x̂ mean(g x̂)) / deviation with g = dy · weight, and, over rows, dw = Σ dy x̂ and db = Σ dy in
  /// Float64.  `partial` holds 2·width scalars, `sums` 2·width numbers: first those of dw, then of db.  dx may be dy.
  @inline(never)
  static func backward(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>?, saved: UnsafePointer<Float>,
    rows: Int, width: Int, into dx: UnsafeMutablePointer<Float>, partial: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Double>
  ) {
    let scale = 1 / Double(width)
    let (dw, db) = (partial, partial + width)
    let vectors = width & ~15
    sums.update(repeating: 0, count: 2 &* width)
    partial.update(repeating: 0, count: 2 &* width)
    for row in 0..<rows {
      let (dy, x, dx) = (dy + row &* width, x + row &* width, dx + row &* width)
      let (mean, inverse) = (saved[2 &* row], saved[2 &* row &+ 1])
      var (sum, product) = (Lanes.zero, Lanes.zero)
      var i = 0
      while i < vectors {
        let d = dy.lanes(i)
        let xhat = (x.lanes(i) - mean) * inverse
        let g = weight.map { d * $0.lanes(i) } ?? d
        sum += g
        product += g * xhat
        dw.store(dw.lanes(i) + d * xhat, i)
        db.store(db.lanes(i) + d, i)
        i &+= 16
      }
      var (totalSum, totalProduct) = (sum.widenedTotal, product.widenedTotal)
      while i < width {
        let xhat = (x[i] - mean) * inverse
        let g = weight.map { dy[i] * $0[i] } ?? dy[i]
        totalSum += Double(g)
        totalProduct += Double(g) * Double(xhat)
        dw[i] += dy[i] * xhat
        db[i] += dy[i]
        i &+= 1
      }
      let (meanSum, meanProduct) = (Float(totalSum * scale), Float(totalProduct * scale))
      i = 0
      while i < vectors {
        let d = dy.lanes(i)
        let xhat = (x.lanes(i) - mean) * inverse
        let g = weight.map { d * $0.lanes(i) } ?? d
        dx.store((g - meanSum - xhat * meanProduct) * inverse, i)
        i &+= 16
      }
      while i < width {
        let xhat = (x[i] - mean) * inverse
        let g = weight.map { dy[i] * $0[i] } ?? dy[i]
        dx[i] = (g - meanSum - xhat * meanProduct) * inverse
        i &+= 1
      }
      if row & 63 == 63 || row == rows &- 1 { flush(partial, into: sums, 2 &* width) }
    }
  }

  @inline(__always)
  private static func flush(
    _ partial: UnsafeMutablePointer<Float>, into sums: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    var i = 0
    while i < count {
      sums[i] += Double(partial[i])
      partial[i] = 0
      i &+= 1
    }
  }
}

#if canImport(Glibc)
  import Glibc
#endif

/// What attention does with rows of scores between its matrix products.
enum AttentionRows {
  /// Query rows that are worked on at a time.
  static let block = 64

  /// Scalars from one row of scores to the next: whole vectors.
  static func stride(_ keys: Int) -> Int { (keys + 15) & ~15 }

  /// Turns scores into e^(score − maximum) and gives each row's 1 / sum and maximum + log sum.
  ///
  /// Row r of the block sees its first `visible + r` keys if `causal`, else all `keys`; what it does not see becomes 0.
  @inline(never)
  static func softmax(
    _ scores: UnsafeMutablePointer<Float>, rows: Int, keys: Int, stride: Int, visible: Int, causal: Bool,
    inverses: UnsafeMutablePointer<Float>, logSums: UnsafeMutablePointer<Float>
  ) {
    hide(scores, rows: rows, keys: keys, stride: stride, visible: visible, causal: causal)
    for r in 0..<rows { logSums[r] = maximum(scores + r &* stride, stride) }
    for r in 0..<rows {
      let (row, largest) = (scores + r &* stride, logSums[r])
      var i = 0
      while i < stride {
        for j in 0..<16 { row[i &+ j] = Elementary.exp(row[i &+ j] - largest) }
        i &+= 16
      }
    }
    for r in 0..<rows { inverses[r] = sum(scores + r &* stride, stride) }
    for r in 0..<rows {
      logSums[r] += logf(inverses[r])
      inverses[r] = 1 / inverses[r]
    }
  }

  /// Turns scores into probabilities e^(score − log sum) and the gradients of probabilities into those of scores:
  /// ds = p · (dp − Σ dp p) · scale, where Σ dp p of a row is the product of its output and the output's gradient.
  @inline(never)
  static func softmaxGradient(
    _ scores: UnsafeMutablePointer<Float>, _ gradients: UnsafeMutablePointer<Float>, rows: Int, keys: Int, stride: Int,
    visible: Int, causal: Bool, scale: Float, logSums: UnsafePointer<Float>, products: UnsafePointer<Float>
  ) {
    hide(scores, rows: rows, keys: keys, stride: stride, visible: visible, causal: causal)
    for r in 0..<rows {
      let (p, ds) = (scores + r &* stride, gradients + r &* stride)
      let (logSum, product) = (logSums[r], products[r])
      var i = 0
      while i < stride {
        for j in 0..<16 { p[i &+ j] = Elementary.exp(p[i &+ j] - logSum) }
        i &+= 16
      }
      i = 0
      while i < keys {
        ds[i] = p[i] * ((ds[i] - product) * scale)
        i &+= 1
      }
    }
  }

  /// Sets what rows do not see to −∞, to the end of their last vectors.
  ///
  /// All rows before any is read: a vector read soon after narrower writes to it waits for them.
  @inline(__always)
  private static func hide(
    _ scores: UnsafeMutablePointer<Float>, rows: Int, keys: Int, stride: Int, visible: Int, causal: Bool
  ) {
    for r in 0..<rows {
      let row = scores + r &* stride
      let raw = UnsafeMutableRawPointer(row)
      var i = causal ? visible &+ r : keys
      while i & 15 != 0 {
        row[i] = -.infinity
        i &+= 1
      }
      while i < stride {
        raw.storeBytes(of: SIMD16(repeating: -.infinity), toByteOffset: i &* 4, as: SIMD16<Float>.self)
        i &+= 16
      }
    }
  }

  /// The largest of a whole number of vectors; NaN is skipped.
  @inline(__always)
  private static func maximum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    let raw = UnsafeRawPointer(x)
    var lanes = SIMD16<Float>(repeating: -.infinity)
    var i = 0
    while i < count {
      let v = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Float>.self)
      lanes.replace(with: v, where: v .> lanes)
      i &+= 16
    }
    return lanes.largest
  }

  /// y[r] = Σ a[r, i] b[r, i] for rows `stride` apart.
  @inline(never)
  static func dots(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, columns: Int,
    stride: Int
  ) {
    for r in 0..<rows {
      let (x, z) = (UnsafeRawPointer(a + r &* stride), UnsafeRawPointer(b + r &* stride))
      var lanes = SIMD8<Float>.zero
      var i = 0
      while i &+ 8 <= columns {
        lanes +=
          x.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self)
          * z.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self)
        i &+= 8
      }
      var total = lanes.total
      while i < columns {
        total += a[r &* stride &+ i] * b[r &* stride &+ i]
        i &+= 1
      }
      y[r] = total
    }
  }

  /// y[r, i] *= factors[r] for rows `stride` apart.
  @inline(never)
  static func scale(
    _ y: UnsafeMutablePointer<Float>, by factors: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int
  ) {
    for r in 0..<rows {
      let (row, factor) = (y + r &* stride, factors[r])
      var i = 0
      while i < columns {
        row[i] *= factor
        i &+= 1
      }
    }
  }

  /// The sum of a whole number of vectors.
  @inline(__always)
  private static func sum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    let raw = UnsafeRawPointer(x)
    var lanes = SIMD16<Float>.zero
    var i = 0
    while i < count {
      lanes += raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Float>.self)
      i &+= 16
    }
    return lanes.total
  }
}

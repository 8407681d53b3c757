#if canImport(Glibc)
  import Glibc
#endif

/// Softmax and cross entropy over rows of logits.
enum SoftmaxLoss {
  /// Sums over rows.
  struct Sums {
    /// Cross entropies.
    var loss = 0.0
    /// Rows whose target is the first of the largest logits.
    var correct = 0.0
  }

  /// The class of a row that has none, such as a node of a graph that belongs to another set.
  static let unlabelled: Int32 = -1

  /// Rows worked on at a time, so that they stay in the first-level cache.
  static func block(_ classes: Int) -> Int { max(1, 2048 / max(1, classes)) }

  /// Adds up the losses of `rows` rows; `work` (of `rows · classes` scalars, may be `logits`) then holds e^(x − max), and
  /// `notes` for each row what its loss is besides the logarithm of the sum, and whether it is correct.
  ///
  /// With `weight`, `work` becomes (p − target) · weight instead, where target is (1 − s) of the class and s / classes of
  /// all.  A class out of range makes the loss and its row of gradients NaN; a row without a class adds nothing.
  static func rows(
    _ logits: UnsafePointer<Float>, _ targets: UnsafePointer<Int32>, into work: UnsafeMutablePointer<Float>, rows: Int,
    classes: Int, smoothing: Float, weight: Float?, notes: UnsafeMutablePointer<(offset: Double, hit: Double)>,
    _ sums: inout Sums
  ) {
    for r in 0..<rows {
      let (x, y) = (logits + r &* classes, work + r &* classes)
      let target = Int(UInt32(bitPattern: targets[r]))
      let top = maximum(x, classes)
      var (offset, hit) = (Double.nan, 0.0)
      if target < classes {
        offset = Double(1 - smoothing) * Double(top - x[target])
        if x[target] == top, !isThere(top, x, target) { hit = 1 }
      }
      shift(x, by: top, into: y, classes)
      if smoothing != 0 { offset -= Double(smoothing) / Double(classes) * Reductions.sum(y, classes) }
      notes[r] = (offset, hit)
    }
    exponentials(work, rows &* classes)
    for r in 0..<rows {
      let y = work + r &* classes
      if targets[r] == unlabelled {
        if weight != nil { y.update(repeating: 0, count: classes) }
        continue
      }
      let total = Reductions.sum(y, classes)
      sums.loss += log(total) + notes[r].offset
      // A NaN among the logits was skipped by the maximum, but not by the sum.
      sums.correct += total.isNaN ? 0 : notes[r].hit
      guard let weight else { continue }
      let target = Int(UInt32(bitPattern: targets[r]))
      let scale = target < classes ? weight : .nan
      affine(y, by: scale / Float(total), plus: -smoothing / Float(classes) * scale, classes)
      if target < classes { y[target] -= (1 - smoothing) * scale }
    }
  }

  /// The largest scalar; NaN is skipped unless nothing else is there.
  @inline(__always)
  private static func maximum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var largest = -Float.infinity
    var i = 0
    if count >= 16 {
      var lanes = SIMD16<Float>(repeating: -.infinity)
      let raw = UnsafeRawPointer(x)
      while i &+ 16 <= count {
        let v = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD16<Float>.self)
        lanes.replace(with: v, where: v .> lanes)
        i &+= 16
      }
      largest = lanes.largest
    }
    while i < count {
      largest = x[i] > largest ? x[i] : largest
      i &+= 1
    }
    return largest
  }

  @inline(__always)
  private static func isThere(_ value: Float, _ x: UnsafePointer<Float>, _ count: Int) -> Bool {
    var i = 0
    while i < count {
      if x[i] == value { return true }
      i &+= 1
    }
    return false
  }

  @inline(__always)
  private static func shift(
    _ x: UnsafePointer<Float>, by top: Float, into y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, into: y, count) { $0 - top }
  }

  @inline(never)
  private static func exponentials(_ y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      y[i] = Elementary.exp(y[i])
      i &+= 1
    }
  }

  @inline(__always)
  private static func affine(_ y: UnsafeMutablePointer<Float>, by a: Float, plus b: Float, _ count: Int) {
    var i = 0
    while i < count {
      y[i] = y[i] * a + b
      i &+= 1
    }
  }
}

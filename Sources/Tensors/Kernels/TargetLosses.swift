/// Losses that compare scalars with targets one by one.
enum TargetLosses {
  /// Scalars worked on at a time, so that they stay in the first-level cache.
  static let block = 2048

  /// d = x − t.
  @inline(never)
  static func differences(
    _ x: UnsafePointer<Float>, _ t: UnsafePointer<Float>, into d: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, t, into: d, count) { $0 - $1 }
  }

  /// loss = |x| · (1 − t or t, by the sign of x) + log(1 + e^−|x|), which is −t log p − (1 − t) log(1 − p) for p = sigmoid(x)
  /// without cancellation.
  @inline(never)
  static func binaryCrossEntropy(
    _ x: UnsafePointer<Float>, _ t: UnsafePointer<Float>, into loss: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, t, into: loss, count) { x, t in
      let magnitude = Float(bitPattern: x.bitPattern & 0x7FFF_FFFF)
      return magnitude * (x > 0 ? 1 - t : t) + Elementary.logOnePlusExp(minusMagnitudeOf: x)
    }
  }

  /// dx = (sigmoid(x) − t) · weight.
  @inline(never)
  static func binaryCrossEntropyGradient(
    _ x: UnsafePointer<Float>, _ t: UnsafePointer<Float>, weight: Float, into dx: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    Pointwise.map(x, t, into: dx, count) { (Elementary.sigmoid($0) - $1) * weight }
  }
}

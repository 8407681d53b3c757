/// What rules without a global error move a layer by: differences or signs, scaled; results may be an argument.
enum LocalSignals {
  /// y = a (x − t).
  static func difference(
    _ x: UnsafePointer<Float>, _ t: UnsafePointer<Float>, by a: Float, into y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] = a * (x[i] - t[i])
      i &+= 1
    }
  }

  /// y = a sign(x − t), 0 where they are equal; NaN stays NaN.
  static func sign(
    _ x: UnsafePointer<Float>, _ t: UnsafePointer<Float>, by a: Float, into y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let d = x[i] - t[i]
      y[i] = d > 0 ? a : (d < 0 ? -a : d)
      i &+= 1
    }
  }

  /// y = a sign(x).
  static func sign(
    _ x: UnsafePointer<Float>, by a: Float, into y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let d = x[i]
      y[i] = d > 0 ? a : (d < 0 ? -a : d)
      i &+= 1
    }
  }
}

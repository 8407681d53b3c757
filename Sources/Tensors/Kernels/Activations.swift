/// Loops of activations and their gradients.
///
/// Where x is bounded before a product, that makes 0 · ∞ the limit it stands for; NaN passes the bounds.
enum Activations {
  /// y = max(x, 0); NaN stays.
  @inline(never)
  static func relu(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { $0 <= 0 ? 0 : $0 }
  }

  /// dx = dy where y is not 0; y that is not a number lets dy through.
  @inline(never)
  static func reluGradient(
    _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(y, dy, into: dx, count) { $0 <= 0 ? 0 : $1 }
  }

  @inline(never)
  static func tanh(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { Elementary.tanh($0) }
  }

  @inline(never)
  static func tanhGradient(
    _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(y, dy, into: dx, count) { $1 * (1 - $0 * $0) }
  }

  @inline(never)
  static func sigmoid(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { Elementary.sigmoid($0) }
  }

  @inline(never)
  static func sigmoidGradient(
    _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(y, dy, into: dx, count) { $1 * ($0 * (1 - $0)) }
  }

  /// y = x, or α (e^x − 1) below 0.
  @inline(never)
  static func elu(
    _ x: UnsafePointer<Float>, alpha: Float, into y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, into: y, count) { $0 > 0 ? $0 : alpha * Elementary.expMinusOne($0) }
  }

  @inline(never)
  static func eluGradient(
    _ y: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, alpha: Float, into dx: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    Pointwise.map(y, dy, into: dx, count) { $1 * ($0 > 0 ? 1 : $0 + alpha) }
  }

  /// y = x sigmoid(x).
  @inline(never)
  static func silu(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { atLeast($0, -110) * Elementary.sigmoid($0) }
  }

  @inline(never)
  static func siluGradient(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, dy, into: dx, count) {
      let x = within($0, 110)
      let s = Elementary.sigmoid(x)
      return $1 * (s * (1 + x * (1 - s)))
    }
  }

  /// y = ½ x (1 + tanh u) with u = √(2/π) (x + 0.044715 x³), as x sigmoid(2u), which has no cancellation.
  @inline(never)
  static func geluTanh(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) {
      let x = within($0, 30)
      return atLeast($0, -30) * Elementary.sigmoid(x * (1.595_769_12 + 0.071_354_816 * (x * x)))
    }
  }

  @inline(never)
  static func geluTanhGradient(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, dy, into: dx, count) {
      let x = within($0, 30)
      let square = x * x
      let s = Elementary.sigmoid(x * (1.595_769_12 + 0.071_354_816 * square))
      return $1 * (s + x * s * (1 - s) * (1.595_769_12 + 0.214_064_448 * square))
    }
  }

  /// y = x Φ(x) (Hendrycks and Gimpel 2016).
  @inline(never)
  static func geluErf(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { atLeast($0, -30) * Elementary.normal($0).share }
  }

  @inline(never)
  static func geluErfGradient(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, dy, into: dx, count) {
      let (share, density) = Elementary.normal($0)
      return $1 * (share + within($0, 30) * density)
    }
  }

  @inline(__always)
  private static func atLeast(_ x: Float, _ bound: Float) -> Float { x < bound ? bound : x }

  @inline(__always)
  private static func within(_ x: Float, _ bound: Float) -> Float {
    let low = x < -bound ? -bound : x
    return low > bound ? bound : low
  }
}

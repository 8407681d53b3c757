/// Loops of activations and their gradients.  Gradients read the output where it tells enough, so that the input's memory
/// is free.
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
}

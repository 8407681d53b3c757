/// Sums of blocks of scalars, for whoever combines gradients.
public enum VectorMath {
  /// y ← y + x.
  public static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
    Elementwise.add(y, x, y, count)
  }

  /// y ← a y.
  public static func scale(_ y: UnsafeMutablePointer<Float>, by a: Float, count: Int) {
    Elementwise.scale(y, by: a, into: y, count)
  }
}

/// Sums of blocks of scalars, for whoever combines gradients.
public enum VectorMath {
  /// y ← y + x.
  public static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
    Elementwise.add(y, x, y, count)
  }

  /// y ← factor · y.
  @inline(never)
  public static func scale(_ y: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    var i = 0
    while i < count {
      y[i] *= factor
      i &+= 1
    }
  }
}

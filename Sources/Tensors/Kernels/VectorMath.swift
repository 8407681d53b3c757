/// Sums of blocks of scalars, for whoever combines gradients.
public enum VectorMath {
  /// y ← y + x.
  public static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
    Elementwise.add(y, x, y, count)
  }
}

/// Applies a function to every scalar.
///
/// A loop that may write where it reads is vectorised only if the compiler sees one pointer, hence a loop for each case of
/// an output that takes over an input's memory.  Partly overlapping memory is not allowed.
enum Pointwise {
  /// y = f(x); y may be x.
  @inline(__always)
  static func map(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int, _ f: (Float) -> Float
  ) {
    var i = 0
    if x == UnsafePointer(y) {
      while i < count {
        y[i] = f(y[i])
        i &+= 1
      }
    } else {
      while i < count {
        y[i] = f(x[i])
        i &+= 1
      }
    }
  }

  /// z = f(x, y); z may be x or y.
  @inline(__always)
  static func map(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, into z: UnsafeMutablePointer<Float>, _ count: Int,
    _ f: (Float, Float) -> Float
  ) {
    var i = 0
    if y == UnsafePointer(z) {
      while i < count {
        z[i] = f(x[i], z[i])
        i &+= 1
      }
    } else if x == UnsafePointer(z) {
      while i < count {
        z[i] = f(z[i], y[i])
        i &+= 1
      }
    } else {
      while i < count {
        z[i] = f(x[i], y[i])
        i &+= 1
      }
    }
  }
}

/// Loops over contiguous scalars.  Plain loops with wrapping index arithmetic: the compiler turns them into vector code.
enum Elementwise {
  /// z = x + y; z may be x or y.
  @inline(never)
  static func add(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      z[i] = x[i] + y[i]
      i &+= 1
    }
  }

  /// y = a x; y may be x.
  @inline(never)
  static func scale(_ x: UnsafePointer<Float>, by a: Float, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      y[i] = a * x[i]
      i &+= 1
    }
  }
}

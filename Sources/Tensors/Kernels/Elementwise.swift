/// Loops over contiguous scalars: lanes where the output may be an input, plain loops, which the compiler turns into vector
/// code, elsewhere.
enum Elementwise {
  /// z = x + y; z may be x or y.
  @inline(never)
  static func add(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i &+ 32 <= count {
      let (low, high) = (x.lanes(i) + y.lanes(i), x.lanes(i &+ 16) + y.lanes(i &+ 16))
      z.store(low, i)
      z.store(high, i &+ 16)
      i &+= 32
    }
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

/// Loops over contiguous scalars.
enum Elementwise {
  /// z = x + y; z may be x or y.
  @inline(never)
  static func add(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    Pointwise.map(x, y, into: z, count) { $0 + $1 }
  }

  /// y = a x; y may be x.
  @inline(never)
  static func scale(_ x: UnsafePointer<Float>, by a: Float, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    Pointwise.map(x, into: y, count) { a * $0 }
  }
}

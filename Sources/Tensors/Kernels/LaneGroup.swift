/// Neighbouring lanes that one iteration of a kernel works on: one register, or four at a time, which hide the latency of
/// arithmetic and read memory in its order.
protocol LaneGroup {
  static var width: Int { get }
  static var zero: Self { get }
  static func load<Scalar: LaneScalar>(_ place: UnsafePointer<Scalar>) -> Self
  func store<Scalar: LaneScalar>(_ place: UnsafeMutablePointer<Scalar>)
  /// Adds to Float64 sums.
  func add(to sums: UnsafeMutablePointer<Double>)
  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  var rectified: Self { get }
  func passed(by y: Self) -> Self
  func scaled(by factor: Float) -> Self
  /// Means so far, rounded.
  static func mean(_ means: UnsafePointer<Double>) -> Self
  /// Adds `tiles` numbers a lane, whose differences from `c` have the sum `s` and the squares `q`, to `seen` earlier ones.
  static func merge(
    _ c: Self, _ s: Self, _ q: Self, _ tiles: Int, _ seen: Int, _ means: UnsafeMutablePointer<Double>,
    _ squares: UnsafeMutablePointer<Double>)
}

extension Lanes: LaneGroup {
  static var width: Int { 16 }

  @inline(__always)
  static func load<Other: LaneScalar>(_ place: UnsafePointer<Other>) -> Lanes { Other.load(place) }
  @inline(__always)
  func store<Other: LaneScalar>(_ place: UnsafeMutablePointer<Other>) { Other.store(self, place) }
  @inline(__always)
  func add(to sums: UnsafeMutablePointer<Double>) { sums.add(self, 0) }
}

/// Four registers.
struct FourLanes: LaneGroup {
  var a: Lanes
  var b: Lanes
  var c: Lanes
  var d: Lanes

  @inline(__always)
  init(_ a: Lanes, _ b: Lanes, _ c: Lanes, _ d: Lanes) { (self.a, self.b, self.c, self.d) = (a, b, c, d) }

  static var width: Int { 64 }
  @inline(__always)
  static var zero: FourLanes { FourLanes(.zero, .zero, .zero, .zero) }

  @inline(__always)
  static func load<Scalar: LaneScalar>(_ place: UnsafePointer<Scalar>) -> FourLanes {
    FourLanes(
      Scalar.load(place), Scalar.load(place + 16), Scalar.load(place + 32), Scalar.load(place + 48))
  }

  @inline(__always)
  func store<Scalar: LaneScalar>(_ place: UnsafeMutablePointer<Scalar>) {
    Scalar.store(a, place)
    Scalar.store(b, place + 16)
    Scalar.store(c, place + 32)
    Scalar.store(d, place + 48)
  }

  @inline(__always)
  func add(to sums: UnsafeMutablePointer<Double>) {
    sums.add(a, 0)
    sums.add(b, 16)
    sums.add(c, 32)
    sums.add(d, 48)
  }

  @inline(__always)
  static func + (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d) }
  @inline(__always)
  static func - (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d) }
  @inline(__always)
  static func * (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d) }

  @inline(__always)
  var rectified: FourLanes { FourLanes(a.rectified, b.rectified, c.rectified, d.rectified) }
  @inline(__always)
  func passed(by y: FourLanes) -> FourLanes {
    FourLanes(a.passed(by: y.a), b.passed(by: y.b), c.passed(by: y.c), d.passed(by: y.d))
  }
}

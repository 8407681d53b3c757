/// How the scalars of an array are stored that a kernel reads or writes as Float32.
protocol LaneScalar {
  static func load(_ place: UnsafePointer<Self>) -> Lanes
  static func store(_ lanes: Lanes, _ place: UnsafeMutablePointer<Self>)
  init(_ x: Float)
  var float: Float { get }
}

extension Float: LaneScalar {
  @inline(__always)
  static func load(_ place: UnsafePointer<Float>) -> Lanes { place.lanes(0) }
  @inline(__always)
  static func store(_ lanes: Lanes, _ place: UnsafeMutablePointer<Float>) { place.store(lanes, 0) }
  @inline(__always)
  var float: Float { self }
}

extension BFloat16: LaneScalar {
  @inline(__always)
  static func load(_ place: UnsafePointer<BFloat16>) -> Lanes {
    let bits = UnsafeRawPointer(place).loadUnaligned(as: SIMD16<UInt16>.self)
    return unsafeBitCast(bits.widened &<< 16, to: Lanes.self)
  }

  @inline(__always)
  static func store(_ lanes: Lanes, _ place: UnsafeMutablePointer<BFloat16>) {
    let bits = unsafeBitCast(lanes, to: SIMD16<UInt32>.self)
    let odd = (bits &>> 16) & SIMD16<UInt32>(repeating: 1)
    var rounded = bits &+ SIMD16<UInt32>(repeating: 0x7FFF) &+ odd
    rounded.replace(with: bits | SIMD16<UInt32>(repeating: 0x40_0000), where: lanes .!= lanes)
    UnsafeMutableRawPointer(place).storeBytes(of: (rounded &>> 16).narrowed, as: SIMD16<UInt16>.self)
  }
}

extension SIMD16<UInt16> {
  /// The same numbers; the library's own conversion is a call.
  @inline(__always)
  fileprivate var widened: SIMD16<UInt32> {
    SIMD16<UInt32>(
      UInt32(self[0]), UInt32(self[1]), UInt32(self[2]), UInt32(self[3]), UInt32(self[4]), UInt32(self[5]),
      UInt32(self[6]), UInt32(self[7]), UInt32(self[8]), UInt32(self[9]), UInt32(self[10]), UInt32(self[11]),
      UInt32(self[12]), UInt32(self[13]), UInt32(self[14]), UInt32(self[15]))
  }
}

extension SIMD16<UInt32> {
  @inline(__always)
  private func low(_ lane: Int) -> UInt16 { UInt16(truncatingIfNeeded: self[lane]) }

  /// The lower halves.
  @inline(__always)
  fileprivate var narrowed: SIMD16<UInt16> {
    SIMD16<UInt16>(
      low(0), low(1), low(2), low(3), low(4), low(5), low(6), low(7), low(8), low(9), low(10), low(11), low(12),
      low(13), low(14), low(15))
  }
}

extension UnsafePointer where Pointee: LaneScalar {
  /// Sixteen scalars from `index` on.
  @inline(__always)
  func widened(_ index: Int) -> Lanes { Pointee.load(self + index) }
}

extension UnsafeMutablePointer where Pointee: LaneScalar {
  /// Writes sixteen scalars from `index` on, rounded to what is stored here.
  @inline(__always)
  func round(_ lanes: Lanes, _ index: Int) { Pointee.store(lanes, self + index) }
}

/// Copies of Float32 numbers in bfloat16.
package enum Roundings {
  @inline(never)
  package static func round(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<BFloat16>, _ count: Int) {
    var i = 0
    while i &+ 16 <= count {
      y.round(x.lanes(i), i)
      i &+= 16
    }
    while i < count {
      y[i] = BFloat16(x[i])
      i &+= 1
    }
  }
}

import Communication

/// An element type with values to try.
protocol Sample: Communicable {
  /// A value that depends on rank and index, such that sums of floats are inexact and integers overflow.
  static func value(rank: Int, index: Int) -> Self
  /// The fold that `reduction` means.
  static func combined(_ a: Self, _ b: Self, _ reduction: Reduction) -> Self
  static func areSameBits(_ a: Self, _ b: Self) -> Bool
}

/// Well mixed bits of two numbers.
private func mixed(_ rank: Int, _ index: Int) -> UInt64 {
  var z = UInt64(truncatingIfNeeded: rank &* 1_000_003 &+ index) &* 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

extension Sample where Self: FixedWidthInteger {
  static func value(rank: Int, index: Int) -> Self { Self(truncatingIfNeeded: mixed(rank, index)) }
  static func areSameBits(_ a: Self, _ b: Self) -> Bool { a == b }
  static func combined(_ a: Self, _ b: Self, _ reduction: Reduction) -> Self {
    switch reduction {
    case .sum: a &+ b
    case .minimum: a < b ? a : b
    case .maximum: a > b ? a : b
    }
  }
}

extension Sample where Self: BinaryFloatingPoint {
  static func value(rank: Int, index: Int) -> Self {
    let bits = mixed(rank, index)
    switch bits % 101 {
    case 0: return .infinity
    case 1: return 0
    case 2: return -0.0
    case 3: return .nan
    default: break
    }
    // From 2⁻¹⁰ to 2¹⁰, both signs, so that the order of additions shows in the last bits.
    let scale = Self(1 << Int((bits >> 8) % 21)) / 1_024
    return scale * Self(Int32(truncatingIfNeeded: bits >> 16)) / Self(Int32.max)
  }
  static func areSameBits(_ a: Self, _ b: Self) -> Bool {
    a == b ? a.sign == b.sign : a.isNaN && b.isNaN
  }
  static func combined(_ a: Self, _ b: Self, _ reduction: Reduction) -> Self {
    switch reduction {
    case .sum: return a + b
    case .minimum:
      if a.isNaN || b.isNaN { return .nan }
      return a < b ? a : b
    case .maximum:
      if a.isNaN || b.isNaN { return .nan }
      return a > b ? a : b
    }
  }
}

extension BFloat16: Sample {
  static func value(rank: Int, index: Int) -> BFloat16 { nearest(Float.value(rank: rank, index: index)) }
  static func areSameBits(_ a: BFloat16, _ b: BFloat16) -> Bool {
    a.bits == b.bits || a.float.isNaN && b.float.isNaN
  }
  static func combined(_ a: BFloat16, _ b: BFloat16, _ reduction: Reduction) -> BFloat16 {
    nearest(Float.combined(a.float, b.float, reduction))
  }

  /// The nearer of the two neighbours, by their distances.
  private static func nearest(_ value: Float) -> BFloat16 {
    if value.isNaN || value.isInfinite { return BFloat16(bits: UInt16(value.bitPattern >> 16)) }
    let below = BFloat16(bits: UInt16(value.bitPattern >> 16))
    let above = BFloat16(bits: below.bits + 1)
    let (x, low) = (Double(value), Double(below.float))
    // Beyond the largest number, the next would be ±2¹²⁸.
    let high = above.float.isInfinite ? (value < 0 ? -0x1p128 : 0x1p128) : Double(above.float)
    let (down, up) = (abs(x - low), abs(high - x))
    return down < up || (down == up && below.bits % 2 == 0) ? below : above
  }
}

extension Float: Sample {}
extension Double: Sample {}
extension UInt8: Sample {}
extension Int8: Sample {}
extension Int16: Sample {}
extension Int32: Sample {}
extension Int64: Sample {}

/// Calls `body` with each element type.
func eachType(_ body: (any Sample.Type) throws -> Void) rethrows {
  let types: [any Sample.Type] = [
    Float.self, Double.self, UInt8.self, Int8.self, Int16.self, Int32.self, Int64.self, BFloat16.self,
  ]
  for type in types { try body(type) }
}

/// A buffer with a guard behind it, which nothing may write to.
final class Block<T: Sample> {
  let count: Int
  private let all: UnsafeMutableBufferPointer<T>

  init(_ count: Int, _ value: (Int) -> T) {
    self.count = count
    all = .allocate(capacity: count + 1)
    for index in 0..<count { all.initializeElement(at: index, to: value(index)) }
    all.initializeElement(at: count, to: T.value(rank: -1, index: 77))
  }

  /// Values that no rank's sample has at these places.
  convenience init(blank count: Int) { self.init(count) { T.value(rank: -2, index: $0) } }

  deinit { all.deallocate() }

  subscript(index: Int) -> T { all[index] }
  var buffer: UnsafeMutableBufferPointer<T> { UnsafeMutableBufferPointer(rebasing: all[0..<count]) }
  var base: UnsafeMutablePointer<T> { all.baseAddress! }
  var constant: UnsafeBufferPointer<T> { UnsafeBufferPointer(buffer) }

  func checkGuard(_ what: @autoclosure () -> String) throws {
    try expect(T.areSameBits(all[count], T.value(rank: -1, index: 77)), "\(what()): wrote behind the buffer")
  }
}

/// The fixed point of one round: how Float32 updates become integers whose sum does not depend on order, threads or ranks.
///
/// q = roundToNearestEven(Float64(x) · w · 2^s) with s = min(48, 54 − ⌈log₂ Σw⌉) from the weights of the selected cohort.
/// Accepted scalars are at most 2⁸ in magnitude, so that |Σq| ≤ 2⁶² + cohort and no sum of accepted updates overflows.
/// Float64(x) · w is exact for weights below 2²⁹, and rounded once above.
public struct FixedPointScale: Sendable, Hashable {
  /// Σw of the selected cohort.
  public let totalWeight: Int
  /// s: binary places behind the point.
  public let places: Int

  /// The largest magnitude of an accepted scalar.
  public static let limit: Float = 0x1p8

  /// The scale of a cohort whose weights sum to `totalWeight`, from 1 to 2⁵⁴.
  public init(totalWeight: Int) {
    precondition(totalWeight >= 1 && totalWeight <= 1 << 54, "a cohort of weight \(totalWeight)")
    self.totalWeight = totalWeight
    let logarithm = Int.bitWidth - (totalWeight - 1).leadingZeroBitCount  // ⌈log₂ Σw⌉
    places = min(48, 54 - logarithm)
  }

  /// 2^s.
  var unit: Double { Double(sign: .plus, exponent: places, significand: 1) }

  /// Whether every scalar is finite and at most 2⁸ in magnitude.  Cost: one pass.
  @inline(never)
  public static func accepts(_ update: UnsafePointer<Float>, count: Int) -> Bool {
    // Magnitudes order as their bits do, and infinities and what is not a number lie above all others.
    var largest: UInt32 = 0
    var i = 0
    while i < count {
      let magnitude = update[i].bitPattern & 0x7FFF_FFFF
      largest = magnitude > largest ? magnitude : largest
      i &+= 1
    }
    return largest <= limit.bitPattern
  }

  /// sums ← sums ± q, in wrapping 64-bit arithmetic; an accepted update of weight 0…2⁵⁴.  Into zeros, it quantises.
  public func add(
    _ update: UnsafePointer<Float>, weight: Int, to sums: UnsafeMutablePointer<Int64>, count: Int,
    subtracting: Bool = false
  ) {
    // Negation is exact, so that what was added can be subtracted to the bit.
    FixedPointScale.add(update, factor: (subtracting ? -1 : 1) * Double(weight) * unit, to: sums, count: count)
  }

  /// mean ← Float32(Σq / (2^s · Σw)); zeros where `weight`, the Σw of what was added, is 0.
  @inline(never)
  public func mean(
    _ sums: UnsafePointer<Int64>, weight: Int, into mean: UnsafeMutablePointer<Float>, count: Int
  ) {
    if weight == 0 { return mean.update(repeating: 0, count: count) }
    let divisor = unit * Double(weight)
    var i = 0
    while i < count {
      mean[i] = Float(Double(sums[i]) / divisor)
      i &+= 1
    }
  }

  /// Rounds x · factor in two halves, each by adding 1.5 · 2⁵², which leaves an integer in the low bits: conversions that
  /// trap on overflow would keep the loop scalar.  For |x · factor| ≤ 2⁶² the halves are exact, and the lower one decides
  /// ties as the whole would.
  @inline(never)
  private static func add(
    _ update: UnsafePointer<Float>, factor: Double, to sums: UnsafeMutablePointer<Int64>, count: Int
  ) {
    let rounder = 0x1.8p52
    let offset = Int64(bitPattern: rounder.bitPattern)
    let bias = (offset &<< 32) &+ offset
    var i = 0
    while i < count {
      let exact = Double(update[i]) * factor
      let high = exact * 0x1p-32 + rounder
      let low = (exact - (high - rounder) * 0x1p32) + rounder
      let whole = (Int64(bitPattern: high.bitPattern) &<< 32) &+ Int64(bitPattern: low.bitPattern) &- bias
      sums[i] = sums[i] &+ whole
      i &+= 1
    }
  }
}

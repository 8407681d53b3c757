/// Elementary functions of Float32 without branches or calls, so that a plain loop over them becomes vector code.
///
/// NaN gives NaN and infinities their limits.  Errors are against the exact value, measured over the whole range.
public enum Elementary {
  /// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
  @usableFromInline static let rounder: Float = 12_582_912

  /// 2ⁿ for −126 ≤ n ≤ 127.
  @inlinable @inline(__always)
  static func power(_ n: Int32) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: (n &+ 127) &<< 23)) }

  /// x = n ln 2 + r with |r| ≤ ln 2 / 2, and e^r − 1 by the polynomial of Cephes' expf (Moshier 1992).
  @inlinable @inline(__always)
  static func reduced(_ x: Float) -> (n: Int32, excess: Float) {
    let big = rounder.addingProduct(x, 1.442_695_04)
    let whole = big - rounder
    let r = x.addingProduct(whole, -0.693_359_375).addingProduct(whole, 2.121_944_40e-4)
    var p: Float = 1.987_569_150_0e-4
    p = Float(1.398_199_950_7e-3).addingProduct(p, r)
    p = Float(8.333_451_907_3e-3).addingProduct(p, r)
    p = Float(4.166_579_589_4e-2).addingProduct(p, r)
    p = Float(1.666_666_545_9e-1).addingProduct(p, r)
    p = Float(5.000_000_120_1e-1).addingProduct(p, r)
    let n = Int32(truncatingIfNeeded: big.bitPattern) &- 0x4B40_0000
    return (n, r.addingProduct(p, r * r))
  }

  /// e^x, within 1 ulp; subnormal results are rounded twice.
  @inlinable @inline(__always)
  public static func exp(_ x: Float) -> Float {
    let low: Float = x < -104 ? -104 : x
    let (n, excess) = reduced(low > 89 ? 89 : low)
    let half = n &>> 1
    return (1 + excess) * power(half) * power(n &- half)
  }

  /// e^x − 1, within 2 ulp.
  @inlinable @inline(__always)
  public static func expMinusOne(_ x: Float) -> Float {
    let low: Float = x < -30 ? -30 : x
    let (n, excess) = reduced(low > 89 ? 89 : low)
    // 2ⁿ(1 + excess) − 1 in halves, because 2¹²⁸ is no number.
    let scale = power(n &- 1)
    return (scale - 0.5).addingProduct(scale, excess) * 2
  }

  /// The hyperbolic tangent, within 3 ulp.
  @inlinable @inline(__always)
  public static func tanh(_ x: Float) -> Float {
    let magnitude = Float(bitPattern: x.bitPattern & 0x7FFF_FFFF)
    let (n, excess) = reduced(magnitude > 10 ? 20 : 2 * magnitude)
    let scale = power(n)
    let t = (scale - 1).addingProduct(scale, excess)
    return Float(bitPattern: (t / (t + 2)).bitPattern | (x.bitPattern & 0x8000_0000))
  }

  /// 1 / (1 + e^−x), within 3 ulp; both tails keep their relative precision.
  @inlinable @inline(__always)
  public static func sigmoid(_ x: Float) -> Float {
    let e = exp(Float(bitPattern: x.bitPattern | 0x8000_0000))
    return (x < 0 ? e : 1) / (1 + e)
  }
}

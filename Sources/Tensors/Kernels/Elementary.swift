/// Elementary functions of Float32 without branches or calls, so that a plain loop over them becomes vector code.
///
/// NaN gives NaN and infinities their limits.  Error bounds are in units of the last place of the exact value, over the
/// whole range, with fused multiply-adds.
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

  /// e^x, within 1 ulp; 0 below 2^−124, because subnormal numbers take the processor many times as long.
  @inlinable @inline(__always)
  public static func exp(_ x: Float) -> Float {
    let low: Float = x < -86.6 ? -86.6 : x
    let (n, excess) = reduced(low > 89 ? 89 : low)
    // In halves, because 2¹²⁸ is no number.
    let result = (2 + 2 * excess) * power(n &- 1)
    return x < -86.6 ? 0 : result
  }

  /// e^x − 1, within 1.5 ulp.
  @inlinable @inline(__always)
  public static func expMinusOne(_ x: Float) -> Float {
    let low: Float = x < -30 ? -30 : x
    let (n, excess) = reduced(low > 89 ? 89 : low)
    // 2ⁿ(1 + excess) − 1 in halves, because 2¹²⁸ is no number.
    let scale = power(n &- 1)
    return (scale - 0.5).addingProduct(scale, excess) * 2
  }

  /// The hyperbolic tangent, within 2.5 ulp.
  @inlinable @inline(__always)
  public static func tanh(_ x: Float) -> Float {
    let magnitude = Float(bitPattern: x.bitPattern & 0x7FFF_FFFF)
    let (n, excess) = reduced(magnitude > 10 ? 20 : 2 * magnitude)
    let scale = power(n)
    let t = (scale - 1).addingProduct(scale, excess)
    return Float(bitPattern: (t / (t + 2)).bitPattern | (x.bitPattern & 0x8000_0000))
  }

  /// 1 / (1 + e^−x), within 2.5 ulp; both tails keep their relative precision, down to 2^−124.
  @inlinable @inline(__always)
  public static func sigmoid(_ x: Float) -> Float {
    let e = expOfMinusMagnitude(x)
    return (x < 0 ? e : 1) / (1 + e)
  }

  /// e^−|x|, as `exp`.
  @inlinable @inline(__always)
  public static func expOfMinusMagnitude(_ x: Float) -> Float {
    let down = Float(bitPattern: x.bitPattern | 0x8000_0000)
    let (n, excess) = reduced(down < -86.6 ? -86.6 : down)
    let scale = power(n)
    let result = scale.addingProduct(scale, excess)
    return down < -86.6 ? 0 : result
  }

  /// The standard normal distribution's share below x, within 7 ulp in both tails, and its density there, within 3.
  ///
  /// Φ(−|x|) = e^(−x²/2) P(1 / (1 + 0.3 |x|)) with a polynomial P fitted to it for |x| ≤ 14.5, relative error 6e-8.
  @inlinable @inline(__always)
  public static func normal(_ x: Float) -> (share: Float, density: Float) {
    let positive = Float(bitPattern: x.bitPattern & 0x7FFF_FFFF)
    let magnitude = positive > 15 ? 15 : positive
    let square = magnitude * magnitude
    // What rounding took from the square is worth many ulp where the square is large.
    let lost = (-square).addingProduct(magnitude, magnitude)
    let bell = exp(-0.5 * square)
    let exponential = bell.addingProduct(bell, -0.5 * lost)
    let t = 1 / Float(1).addingProduct(0.3, magnitude)
    var p: Float = 3.840_757_0e-2
    p = Float(-1.693_082_9e-1).addingProduct(p, t)
    p = Float(2.289_534_09e-1).addingProduct(p, t)
    p = Float(-7.684_142_56e-2).addingProduct(p, t)
    p = Float(1.427_664_19e-1).addingProduct(p, t)
    p = Float(9.458_540_92e-2).addingProduct(p, t)
    p = Float(1.219_453_71e-1).addingProduct(p, t)
    p = Float(1.194_841_93e-1).addingProduct(p, t)
    p = Float(7.373_132_36e-6).addingProduct(p, t)
    let tail = p * exponential
    return (x > 0 ? 1 - tail : tail, 0.398_942_280 * exponential)
  }

  /// log(1 + e^−|x|), within 2.5 ulp: what log(1 + e^x) is more than max(x, 0).
  @inlinable @inline(__always)
  public static func logOnePlusExp(minusMagnitudeOf x: Float) -> Float {
    let e = expOfMinusMagnitude(x)
    // log(1 + e) = 2 artanh(e / (2 + e)).
    let s = e / (2 + e)
    let square = s * s
    var q: Float = 0.1343375088
    q = Float(0.1411698259).addingProduct(q, square)
    q = Float(0.2000383517).addingProduct(q, square)
    q = Float(0.3333331984).addingProduct(q, square)
    return (2 * s).addingProduct(2 * s * square, q)
  }
}

import Tensors

/// Shortens updates to a largest norm: before any rule or sum, against attackers, and for differential privacy.
public enum NormClipping {
  /// What a clipped update is shorter than its limit by, relatively: more than Float32 rounding can add.
  static let margin = 0x1p-22

  /// x ← x · min(1, C / ‖x‖) in place; the norm that x had.  The norm is Float64 over blocks of 4,096 scalars.
  ///
  /// Deviation: a clipped update ends 2⁻²² short of C, so that rounding never leaves it above: the noise of a privacy
  /// mechanism is measured by C.  An infinite C clips nothing.  An update that is not finite stays so.
  public static func clip(_ update: UnsafeMutableBufferPointer<Float>, to limit: Double) -> Double {
    precondition(limit > 0, "clipping to a norm of \(limit)")
    guard let scalars = update.baseAddress else { return 0 }
    let norm = Reductions.squares(scalars, update.count).squareRoot()
    if norm > limit { scale(scalars, by: limit / norm * (1 - margin), count: update.count) }
    return norm
  }

  @inline(never)
  private static func scale(_ x: UnsafeMutablePointer<Float>, by factor: Double, count: Int) {
    var i = 0
    while i < count {
      x[i] = Float(Double(x[i]) * factor)
      i &+= 1
    }
  }
}

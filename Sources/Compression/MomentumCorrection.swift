import Tensors

/// What deep gradient compression keeps in place of error feedback (Lin, Han, Mao, Wang, Dally, ICLR 2018, section 3.2):
/// u ← m u + g, v ← v + u; the top of v is sent, and u and v become zero at the places sent (factor masking).
///
/// What was sent and v together are Σ u of all steps, up to the rounding of v ← v + u.  What is not finite stays in v until
/// sent, which `TopK` and `SampledTopK` do first.
public struct MomentumCorrection: Sendable {
  /// u, the momentum; part of a checkpoint.
  public let velocity: Storage
  /// v, what has not been sent; part of a checkpoint.
  public let accumulation: Storage
  /// m.
  public let momentum: Float

  /// Zeros for `count` scalars.
  public init(count: Int, momentum: Float) {
    velocity = Storage(zeros: count)
    accumulation = Storage(zeros: count)
    self.momentum = momentum
  }

  /// Takes the gradient of a range in, and returns v of the range, to be encoded.  Cost: one pass.
  public func accumulate(_ gradient: UnsafePointer<Float>, _ range: Range<Int>) -> UnsafePointer<Float> {
    let accumulation = accumulation.base + range.lowerBound
    MomentumCorrection.accumulate(
      gradient, velocity.base + range.lowerBound, accumulation, momentum, range.count)
    return UnsafePointer(accumulation)
  }

  @inline(never)
  private static func accumulate(
    _ gradient: UnsafePointer<Float>, _ velocity: UnsafeMutablePointer<Float>,
    _ accumulation: UnsafeMutablePointer<Float>, _ momentum: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      let u = momentum * velocity[i] + gradient[i]
      velocity[i] = u
      accumulation[i] += u
      i &+= 1
    }
  }

  /// Sets u and v of a range to zero where a `SparseMessage` of `pairs` pairs sent them.
  public func clear(_ range: Range<Int>, sent message: UnsafeRawPointer, pairs: Int) {
    SparseMessage.clear(velocity.base + range.lowerBound, count: range.count, at: message, pairs: pairs)
    SparseMessage.clear(accumulation.base + range.lowerBound, count: range.count, at: message, pairs: pairs)
  }
}

import Tensors

/// Two gradients in place of their sum, so that shared directions count once (Maleki, Musuvathi, Mytkowicz, Saarikivi, Xu, Eksarevskiy,
/// Ekanayake, Barsoum, MLSys 2021, equation 1): (1 − a·b / 2‖a‖²) a + (1 − a·b / 2‖b‖²) b, for each layer alone.
///
/// Orthogonal gradients add, equal ones average.  NaN and infinities make the whole layer NaN or leave it infinite.
public enum Adasum {
  /// The dots that a pair's coefficients depend on; those of parts of a layer add.
  public struct Dots: Sendable, Equatable {
    /// a·b.
    public var product: Double
    /// ‖a‖².
    public var left: Double
    /// ‖b‖².
    public var right: Double

    /// The dots of nothing.
    public static let zero = Dots(product: 0, left: 0, right: 0)

    /// Adds those of the next part.
    public static func += (dots: inout Dots, next: Dots) {
      dots.product += next.product
      dots.left += next.left
      dots.right += next.right
    }

    /// Factors of a and b; 1 for a vector whose square is below √(smallest normal Float64), as in Horovod.
    var factors: (Float, Float) {
      let smallest = Double.leastNormalMagnitude.squareRoot()
      return (
        Float(left < smallest ? 1 : 1 - product / (2 * left)), Float(right < smallest ? 1 : 1 - product / (2 * right))
      )
    }
  }

  /// Dots of a layer in Float64, over blocks of 4,096 scalars, added in order.
  public static func dots(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Dots {
    var dots = Dots.zero
    var first = 0
    while first < count {
      let size = min(Reductions.block, count - first)
      dots += Dots(
        product: Reductions.dot(a + first, b + first, size), left: Reductions.squares(a + first, size),
        right: Reductions.squares(b + first, size))
      first += size
    }
    return dots
  }

  /// a ← combination of a and b by dots of their layer; factors are rounded to Float32.
  @inline(never)
  public static func combine(
    _ b: UnsafePointer<Float>, into a: UnsafeMutablePointer<Float>, count: Int, by dots: Dots
  ) {
    let (left, right) = dots.factors
    var i = 0
    while i < count {
      a[i] = left * a[i] + right * b[i]
      i &+= 1
    }
  }

  /// a ← combination of a and b, layer by layer; scalars outside the ranges stay.  Cost: two passes.
  public static func combine(
    _ b: UnsafePointer<Float>, into a: UnsafeMutablePointer<Float>, layers: [Range<Int>]
  ) {
    for layer in layers {
      let (start, count) = (layer.lowerBound, layer.count)
      combine(b + start, into: a + start, count: count, by: dots(a + start, b + start, count: count))
    }
  }
}

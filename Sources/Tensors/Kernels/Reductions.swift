/// Sums over contiguous scalars in Float64: blocks of 4,096 scalars, combined in order, so that a sum depends on nothing
/// but its scalars.
public enum Reductions {
  /// Scalars of a block.
  public static let block = 4096

  /// Σ xᵢ yᵢ.
  public static func dot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    var total = 0.0
    var first = 0
    while first < count {
      let size = min(block, count &- first)
      total += blockDot(x + first, y + first, size)
      first &+= block
    }
    return total
  }

  /// Σ xᵢ².
  public static func squares(_ x: UnsafePointer<Float>, _ count: Int) -> Double { dot(x, x, count) }

  /// Σ xᵢ.
  public static func sum(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    var total = 0.0
    var first = 0
    while first < count {
      let size = min(block, count &- first)
      total += blockSum(x + first, size)
      first &+= block
    }
    return total
  }

  @inline(never)
  private static func blockSum(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    var sums = SIMD8<Double>.zero
    let raw = UnsafeRawPointer(x)
    var i = 0
    while i &+ 8 <= count {
      sums += SIMD8<Double>(raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
      i &+= 8
    }
    var total = sums.total
    while i < count {
      total += Double(x[i])
      i &+= 1
    }
    return total
  }

  @inline(never)
  private static func blockDot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    var sums = SIMD8<Double>.zero
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    var i = 0
    while i &+ 8 <= count {
      let a = SIMD8<Double>(left.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
      let b = SIMD8<Double>(right.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
      sums += a * b
      i &+= 8
    }
    var total = sums.total
    while i < count {
      total += Double(x[i]) * Double(y[i])
      i &+= 1
    }
    return total
  }
}

import Tensors

/// Makes vectors orthonormal, one after another in their order, so that the bits depend on nothing but the vectors.
///
/// Each is freed of the ones before it twice (Kahan: twice is enough) with dots in Float64 over blocks of 4,096 scalars.  One
/// that keeps less than 2⁻²⁰ of its length is replaced by the first unit vector of which the others leave enough, so that a
/// vector of zeros comes back to life.  A vector with NaN or an infinity becomes NaN.
public enum GramSchmidt {
  /// `vectors` are `count` rows of `length` scalars, `count` at most `length`.  Cost: 4 · count² · length operations.
  public static func orthonormalise(_ vectors: UnsafeMutablePointer<Float>, count: Int, length: Int) {
    precondition(count <= length, "\(count) orthogonal vectors of \(length) scalars")
    for index in 0..<count {
      let vector = vectors + index * length
      let before = Reductions.squares(vector, length)
      let left = project(vector, from: vectors, index, length)
      if before.isFinite && left <= before * 0x1p-40 { replace(vector, beside: vectors, index, length) }
      divide(vector, length, by: Reductions.squares(vector, length).squareRoot())
    }
  }

  /// Takes the first unit vector of which the others leave enough; one of them keeps 1 / length of its square.
  private static func replace(
    _ vector: UnsafeMutablePointer<Float>, beside vectors: UnsafeMutablePointer<Float>, _ count: Int, _ length: Int
  ) {
    for unit in 0..<length {
      vector.update(repeating: 0, count: length)
      vector[unit] = 1
      if !(project(vector, from: vectors, count, length) * Double(2 * length) < 1) { return }
    }
  }

  /// Takes the first `count` vectors' shares off, twice; returns the square that is left.
  private static func project(
    _ vector: UnsafeMutablePointer<Float>, from vectors: UnsafeMutablePointer<Float>, _ count: Int, _ length: Int
  ) -> Double {
    for _ in 0..<2 {
      for index in 0..<count {
        let other = vectors + index * length
        subtract(other, times: Float(Reductions.dot(vector, other, length)), from: vector, length)
      }
    }
    return Reductions.squares(vector, length)
  }

  @inline(never)
  private static func subtract(
    _ x: UnsafePointer<Float>, times factor: Float, from y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] -= factor * x[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func divide(_ x: UnsafeMutablePointer<Float>, _ count: Int, by norm: Double) {
    var i = 0
    while i < count {
      x[i] = Float(Double(x[i]) / norm)
      i &+= 1
    }
  }
}

import Tensors

/// Vectors to compress.
enum Sample {
  /// Lengths around those of a register, a block and a chunk.
  static let counts = [0, 1, 3, 17, 255, 256, 257, 4095, 4097, 100_001]

  /// Numbers around zero with a spread of 0.1; the scale differs along the vector.
  static func normal(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var stream = RandomStream(seed: seed, .test)
    return (0..<count).map { 0.1 * stream.normal() * Float(1 + $0 / 1000 % 3) }
  }

  /// Whole numbers of −limit…limit, so that sums are exact and magnitudes tie.
  static func whole(_ count: Int, limit: Int = 8, seed: UInt64 = 1) -> [Float] {
    var stream = RandomStream(seed: seed, .test)
    return (0..<count).map { _ in Float(stream.below(2 * limit + 1) - limit) }
  }

  /// Numbers of every exponent, both zeros and subnormal ones.
  static func everyExponent(_ count: Int) -> [Float] {
    var stream = RandomStream(seed: 5, .test)
    return (0..<count).map { _ in
      let x = Float(bitPattern: stream.nextWord())
      return x.isFinite ? x : -0
    }
  }
}

/// The bits of a vector, which tell NaN and the zeros apart.
func bits(_ x: [Float]) -> [UInt32] { x.map(\.bitPattern) }

import Glibc
import Tensors

/// Normal noise that is a pure function of seed, round and coordinate, so that every rank and thread makes the same.
///
/// Coordinates 2b and 2b + 1 take both numbers of Box and Muller (1958) from Philox block b, 53-bit uniforms, in Float64.
/// Floating-point noise is not perfectly private against an observer of low bits (Mironov, CCS 2012); this is a simulator.
public enum GaussianNoise {
  /// x ← x + deviation · N(0, 1) for coordinates `range` of a vector whose coordinate 0 is `vector`.
  /// Cost: a logarithm, a root, a sine and a cosine for two coordinates.
  public static func add(
    to vector: UnsafeMutablePointer<Float>, range: Range<Int>, deviation: Double, seed: UInt64, round: Int
  ) {
    precondition(deviation >= 0 && deviation.isFinite, "noise of deviation \(deviation)")
    if deviation == 0 { return }
    let mixed = RandomStream.key(seed: seed, .noise, epoch: UInt64(round), layer: NoiseStream.update)
    let key = (UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
    var i = range.lowerBound
    while i < range.upperBound {
      let block = i >> 1
      let (even, odd) = pair(key, UInt64(block))
      if i & 1 == 0 {
        vector[i] = Float(Double(vector[i]) + deviation * even)
        i += 1
      }
      if i & 1 == 1, i < range.upperBound {
        vector[i] = Float(Double(vector[i]) + deviation * odd)
        i += 1
      }
    }
  }

  /// One normal number of the round, for the count of unclipped clients.
  static func ofCount(seed: UInt64, round: Int) -> Double {
    var random = RandomStream(seed: seed, .noise, epoch: UInt64(round), layer: NoiseStream.count)
    return random.normalDouble()
  }

  private static func pair(_ key: (UInt32, UInt32), _ block: UInt64) -> (Double, Double) {
    let words = RandomStream.philox(
      key: key, counter: (UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), 0, 0))
    let first = Double((UInt64(words.0) | UInt64(words.1) << 32) >> 11) * 0x1p-53
    let second = Double((UInt64(words.2) | UInt64(words.3) << 32) >> 11) * 0x1p-53
    let radius = (-2 * log(1 - first)).squareRoot()
    return (radius * cos(2 * Double.pi * second), radius * sin(2 * Double.pi * second))
  }
}

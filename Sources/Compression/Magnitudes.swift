import Tensors

/// Absolute values of a vector, summarised.
enum Magnitudes {
  /// max |xᵢ|; NaN if a scalar is NaN, 0 of nothing.
  @inline(never)
  static func largest(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var largest: UInt32 = 0
    var i = 0
    while i < count {
      // Without the sign, the order of the bits is that of the numbers, with NaN above infinity.
      largest = max(largest, x[i].bitPattern & 0x7FFF_FFFF)
      i &+= 1
    }
    return Float(bitPattern: largest)
  }

  /// Whether no scalar is NaN or infinite.
  static func areFinite(_ x: UnsafePointer<Float>, _ count: Int) -> Bool { largest(x, count).isFinite }

  /// Σ |xᵢ| of the scalars that are at least 0, and of all others, NaN among them: in Float64 over blocks of 4,096 scalars,
  /// combined in order.
  static func sums(_ x: UnsafePointer<Float>, _ count: Int) -> (positive: Double, negative: Double) {
    var (positive, negative) = (0.0, 0.0)
    var first = 0
    while first < count {
      let sums = blockSums(x + first, min(Reductions.block, count &- first))
      positive += sums.positive
      negative += sums.negative
      first &+= Reductions.block
    }
    return (positive, negative)
  }

  @inline(never)
  private static func blockSums(_ x: UnsafePointer<Float>, _ count: Int) -> (positive: Double, negative: Double) {
    let raw = UnsafeRawPointer(x)
    var positives = SIMD8<Double>.zero
    var negatives = SIMD8<Double>.zero
    var i = 0
    while i &+ 8 <= count {
      let lanes = raw.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self)
      let isPositive = lanes .>= SIMD8<Float>.zero
      positives += SIMD8<Float>.zero.replacing(with: lanes, where: isPositive).widened
      negatives -= lanes.replacing(with: SIMD8<Float>.zero, where: isPositive).widened
      i &+= 8
    }
    var (positive, negative) = (0.0, 0.0)
    for lane in 0..<8 {
      positive += positives[lane]
      negative += negatives[lane]
    }
    while i < count {
      if x[i] >= 0 { positive += Double(x[i]) } else { negative -= Double(x[i]) }
      i &+= 1
    }
    return (positive, negative)
  }
}

extension SIMD8<Float> {
  /// The same numbers in Float64; the library's own conversion is a call.
  @inline(__always)
  fileprivate var widened: SIMD8<Double> {
    SIMD8<Double>(
      Double(self[0]), Double(self[1]), Double(self[2]), Double(self[3]), Double(self[4]), Double(self[5]),
      Double(self[6]), Double(self[7]))
  }
}

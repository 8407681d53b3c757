/// Sixteen neighbouring scalars: one AVX-512 register.
///
/// Loops that may write over what they read need explicit lanes: the compiler turns a plain loop into vector code only
/// behind a check that input and output do not overlap.
typealias Lanes = SIMD16<Float>

extension UnsafePointer<Float> {
  /// Sixteen scalars from `index` on.
  @inline(__always)
  func lanes(_ index: Int) -> Lanes {
    UnsafeRawPointer(self).loadUnaligned(fromByteOffset: index &* 4, as: Lanes.self)
  }
}

extension UnsafeMutablePointer<Float> {
  /// Sixteen scalars from `index` on.
  @inline(__always)
  func lanes(_ index: Int) -> Lanes {
    UnsafeRawPointer(self).loadUnaligned(fromByteOffset: index &* 4, as: Lanes.self)
  }

  /// Writes sixteen scalars from `index` on.
  @inline(__always)
  func store(_ lanes: Lanes, _ index: Int) {
    UnsafeMutableRawPointer(self).storeBytes(of: lanes, toByteOffset: index &* 4, as: Lanes.self)
  }
}

extension UnsafeMutablePointer<Double> {
  /// Adds sixteen Float32 numbers to those from `index` on.
  @inline(__always)
  func add(_ lanes: Lanes, _ index: Int) {
    let place = UnsafeMutableRawPointer(self + index)
    let low = place.loadUnaligned(as: SIMD8<Double>.self) + lanes.lowHalf.widened
    let high = place.loadUnaligned(fromByteOffset: 64, as: SIMD8<Double>.self) + lanes.highHalf.widened
    place.storeBytes(of: low, as: SIMD8<Double>.self)
    place.storeBytes(of: high, toByteOffset: 64, as: SIMD8<Double>.self)
  }
}

extension SIMD8<Float> {
  /// The same numbers in Float64; the library's own conversion is a call.
  @inline(__always)
  var widened: SIMD8<Double> {
    SIMD8<Double>(
      Double(self[0]), Double(self[1]), Double(self[2]), Double(self[3]), Double(self[4]), Double(self[5]),
      Double(self[6]), Double(self[7]))
  }
}

extension SIMD16<Float> {
  /// The sum of all lanes in Float64.
  @inline(__always)
  var widenedTotal: Double {
    (lowHalf.widened + highHalf.widened).total
  }

  /// Zero where not above it; keeps what is not a number.
  @inline(__always)
  var rectified: Lanes { replacing(with: Lanes.zero, where: self .<= Lanes.zero) }

  /// These lanes where `y`, an output of relu, lets gradients through: where it is not zero.
  @inline(__always)
  func passed(by y: Lanes) -> Lanes { replacing(with: Lanes.zero, where: y .<= Lanes.zero) }
}

extension Float {
  /// Zero where not above it; keeps what is not a number.
  @inline(__always)
  var rectified: Float { self <= 0 ? 0 : self }

  /// This number where `y`, an output of relu, lets gradients through.
  @inline(__always)
  func passed(by y: Float) -> Float { y <= 0 ? 0 : self }
}

// What the moments of lanes need: means in Float64, and how those of two blocks become those of both.
extension Lanes {
  @inline(__always)
  static func mean(_ means: UnsafePointer<Double>) -> Lanes {
    let place = UnsafeRawPointer(means)
    return Lanes(
      lowHalf: place.loadUnaligned(as: SIMD8<Double>.self).narrowed,
      highHalf: place.loadUnaligned(fromByteOffset: 64, as: SIMD8<Double>.self).narrowed)
  }

  @inline(__always)
  func scaled(by factor: Float) -> Lanes { self * factor }

  @inline(__always)
  static func merge(
    _ c: Lanes, _ s: Lanes, _ q: Lanes, _ tiles: Int, _ seen: Int, _ means: UnsafeMutablePointer<Double>,
    _ squares: UnsafeMutablePointer<Double>
  ) {
    merge(c.lowHalf, s.lowHalf, q.lowHalf, tiles, seen, means, squares)
    merge(c.highHalf, s.highHalf, q.highHalf, tiles, seen, means + 8, squares + 8)
  }

  @inline(__always)
  private static func merge(
    _ c: SIMD8<Float>, _ s: SIMD8<Float>, _ q: SIMD8<Float>, _ tiles: Int, _ seen: Int,
    _ means: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
  ) {
    let (n, before) = (Double(tiles), Double(seen))
    let (means, squares) = (UnsafeMutableRawPointer(means), UnsafeMutableRawPointer(squares))
    let shift = s.widened
    let mean = means.loadUnaligned(as: SIMD8<Double>.self)
    let delta = c.widened + shift * (1 / n) - mean
    let own = q.widened - shift * shift * (1 / n)
    means.storeBytes(of: mean + delta * (n / (before + n)), as: SIMD8<Double>.self)
    squares.storeBytes(
      of: squares.loadUnaligned(as: SIMD8<Double>.self) + own + delta * delta * (n * before / (before + n)),
      as: SIMD8<Double>.self)
  }
}

extension FourLanes {
  @inline(__always)
  static func mean(_ means: UnsafePointer<Double>) -> FourLanes {
    FourLanes(Lanes.mean(means), Lanes.mean(means + 16), Lanes.mean(means + 32), Lanes.mean(means + 48))
  }

  @inline(__always)
  func scaled(by factor: Float) -> FourLanes { FourLanes(a * factor, b * factor, c * factor, d * factor) }

  @inline(__always)
  static func merge(
    _ c: FourLanes, _ s: FourLanes, _ q: FourLanes, _ tiles: Int, _ seen: Int, _ means: UnsafeMutablePointer<Double>,
    _ squares: UnsafeMutablePointer<Double>
  ) {
    Lanes.merge(c.a, s.a, q.a, tiles, seen, means, squares)
    Lanes.merge(c.b, s.b, q.b, tiles, seen, means + 16, squares + 16)
    Lanes.merge(c.c, s.c, q.c, tiles, seen, means + 32, squares + 32)
    Lanes.merge(c.d, s.d, q.d, tiles, seen, means + 48, squares + 48)
  }
}

extension SIMD8<Double> {
  /// The same numbers in Float32; the library's own conversion is a call.
  @inline(__always)
  fileprivate var narrowed: SIMD8<Float> {
    SIMD8<Float>(
      Float(self[0]), Float(self[1]), Float(self[2]), Float(self[3]), Float(self[4]), Float(self[5]), Float(self[6]),
      Float(self[7]))
  }
}

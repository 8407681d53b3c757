// Normalising with factors of a channel.
extension ChannelTiles {
  /// Factors of a normalisation, spread over the lanes of a tile: y = (x − centre) · scale + shift.
  struct Factors {
    let centre: UnsafePointer<Float>
    let scale: UnsafePointer<Float>
    let shift: UnsafePointer<Float>
  }

  /// y = (x − centre) · scale + shift (+ residual), with relu if `rectified`; y may be x or the residual.
  /// `finish` is told ranges that are done, the first scalar and the number, while they are in the cache.
  func normalise<X: LaneScalar, Y: LaneScalar>(
    _ x: UnsafePointer<X>, _ factors: Factors, residual: UnsafePointer<Float>?, rectified: Bool,
    into y: UnsafeMutablePointer<Y>, finish: (_ start: Int, _ count: Int) -> Void = { _, _ in }
  ) {
    eachPanelBackwards { start, tiles, width in
      let (x, y, r) = (x + start, y + start, residual.map { $0 + start })
      switch (r, rectified) {
      case (nil, false):
        ChannelTiles.map(x, factors.scale, tiles, lanes, width, factors, y, adds: false, rectified: false)
      case (nil, true):
        ChannelTiles.map(x, factors.scale, tiles, lanes, width, factors, y, adds: false, rectified: true)
      case (let r?, false): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: true, rectified: false)
      case (let r?, true): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: true, rectified: true)
      }
      finish(start, tiles &* lanes &- lanes &+ width)
    }
  }

  @inline(__always)
  private static func map<X: LaneScalar, Y: LaneScalar>(
    _ x: UnsafePointer<X>, _ r: UnsafePointer<Float>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ y: UnsafeMutablePointer<Y>, adds: Bool, rectified: Bool
  ) {
    var lane = 0
    while lane &+ 32 <= width {
      let (c0, c1) = (f.centre.lanes(lane), f.centre.lanes(lane &+ 16))
      let (a0, a1) = (f.scale.lanes(lane), f.scale.lanes(lane &+ 16))
      let (b0, b1) = (f.shift.lanes(lane), f.shift.lanes(lane &+ 16))
      var i = lane
      for _ in 0..<tiles {
        var v0 = (x.widened(i) - c0) * a0 + b0
        var v1 = (x.widened(i &+ 16) - c1) * a1 + b1
        if adds {
          v0 += r.lanes(i)
          v1 += r.lanes(i &+ 16)
        }
        y.round(rectified ? v0.rectified : v0, i)
        y.round(rectified ? v1.rectified : v1, i &+ 16)
        i &+= stride
      }
      lane &+= 32
    }
    while lane &+ 16 <= width {
      let (c, a, b) = (f.centre.lanes(lane), f.scale.lanes(lane), f.shift.lanes(lane))
      var i = lane
      for _ in 0..<tiles {
        var v = (x.widened(i) - c) * a + b
        if adds { v += r.lanes(i) }
        y.round(rectified ? v.rectified : v, i)
        i &+= stride
      }
      lane &+= 16
    }
    while lane < width {
      var v = (x[lane].float - f.centre[lane]) * f.scale[lane] + f.shift[lane]
      if adds { v += r[lane] }
      y[lane] = Y(rectified ? v.rectified : v)
      lane &+= 1
    }
  }
}

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
    while lane &+ 64 <= width {
      column(FourLanes.self, lane, x, r, tiles, stride, f, y, adds: adds, rectified: rectified)
      lane &+= 64
    }
    while lane &+ 16 <= width {
      column(Lanes.self, lane, x, r, tiles, stride, f, y, adds: adds, rectified: rectified)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      var v = (x[lane].float - f.centre[lane]) * f.scale[lane] + f.shift[lane]
      if adds { v += r[lane] }
      y[lane] = Y(rectified ? v.rectified : v)
      lane &+= 1
    }
  }

  @inline(__always)
  private static func column<Group: LaneGroup, X: LaneScalar, Y: LaneScalar>(
    _ group: Group.Type, _ lane: Int, _ x: UnsafePointer<X>, _ r: UnsafePointer<Float>, _ tiles: Int, _ stride: Int,
    _ f: Factors, _ y: UnsafeMutablePointer<Y>, adds: Bool, rectified: Bool
  ) {
    let (centre, scale, shift) = (Group.load(f.centre + lane), Group.load(f.scale + lane), Group.load(f.shift + lane))
    var i = lane
    for _ in 0..<tiles {
      var v = (Group.load(x + i) - centre) * scale + shift
      if adds { v = v + Group.load(r + i) }
      (rectified ? v.rectified : v).store(y + i)
      i &+= stride
    }
  }
}

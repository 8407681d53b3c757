// Gradients of normalisations, in two passes: sums, then the gradient of the input.
extension ChannelTiles {
  /// Which part of the gradient of the output counts.
  enum Mask {
    /// All of it.
    case none
    /// What relu let through, worked out again from the input.
    case recomputed
    /// What relu let through, seen from the output; the masked gradient is stored.
    case output(UnsafePointer<Float>, masked: UnsafeMutablePointer<Float>)
  }

  /// Σ dy and Σ dy (x − centre) of every channel, Float64, in the first `channels` numbers of `sums` and `products`, which
  /// hold `lanes`.
  func gradientSums<X: LaneScalar>(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ factors: Factors, _ mask: Mask,
    sums: UnsafeMutablePointer<Double>, products: UnsafeMutablePointer<Double>
  ) {
    sums.update(repeating: 0, count: lanes)
    products.update(repeating: 0, count: lanes)
    eachPanel { start, tiles, width in
      let (dy, x) = (dy + start, x + start)
      switch mask {
      case .none:
        ChannelTiles.reduce(dy, x, tiles, lanes, width, factors, sums, products, rectified: false)
      case .recomputed:
        ChannelTiles.reduce(dy, x, tiles, lanes, width, factors, sums, products, rectified: true)
      case .output(let y, let masked):
        let (y, masked) = (y + start, masked + start)
        ChannelTiles.mask(dy, y, tiles &* lanes &- lanes &+ width, into: masked)
        ChannelTiles.reduce(UnsafePointer(masked), x, tiles, lanes, width, factors, sums, products, rectified: false)
      }
    }
    for channel in 0..<channels {
      var (sum, product) = (0.0, 0.0)
      var lane = channel
      while lane < lanes {
        sum += sums[lane]
        product += products[lane]
        lane &+= channels
      }
      (sums[channel], products[channel]) = (sum, product)
    }
  }

  @inline(never)
  private static func mask(
    _ dy: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int, into masked: UnsafeMutablePointer<Float>
  ) {
    var i = 0
    while i &+ 16 <= count {
      masked.store(dy.lanes(i).passed(by: y.lanes(i)), i)
      i &+= 16
    }
    while i < count {
      masked[i] = dy[i].passed(by: y[i])
      i &+= 1
    }
  }

  @inline(__always)
  private static func reduce<X: LaneScalar>(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ sums: UnsafeMutablePointer<Double>, _ products: UnsafeMutablePointer<Double>, rectified: Bool
  ) {
    var lane = 0
    while lane &+ 32 <= width {
      let (c0, c1) = (f.centre.lanes(lane), f.centre.lanes(lane &+ 16))
      let (a0, a1) = (f.scale.lanes(lane), f.scale.lanes(lane &+ 16))
      let (b0, b1) = (f.shift.lanes(lane), f.shift.lanes(lane &+ 16))
      var (s0, s1, p0, p1) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      var i = lane
      for _ in 0..<tiles {
        let (d0, d1) = (x.widened(i) - c0, x.widened(i &+ 16) - c1)
        var (g0, g1) = (dy.lanes(i), dy.lanes(i &+ 16))
        if rectified {
          g0 = g0.passed(by: d0 * a0 + b0)
          g1 = g1.passed(by: d1 * a1 + b1)
        }
        s0 += g0
        s1 += g1
        p0 += g0 * d0
        p1 += g1 * d1
        i &+= stride
      }
      sums.add(s0, lane)
      sums.add(s1, lane &+ 16)
      products.add(p0, lane)
      products.add(p1, lane &+ 16)
      lane &+= 32
    }
    while lane &+ 16 <= width {
      let (c, a, b) = (f.centre.lanes(lane), f.scale.lanes(lane), f.shift.lanes(lane))
      var (s, p) = (Lanes.zero, Lanes.zero)
      var i = lane
      for _ in 0..<tiles {
        let d = x.widened(i) - c
        var g = dy.lanes(i)
        if rectified { g = g.passed(by: d * a + b) }
        s += g
        p += g * d
        i &+= stride
      }
      sums.add(s, lane)
      products.add(p, lane)
      lane &+= 16
    }
    while lane < width {
      let d = x[lane].float - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      sums[lane] += Double(g)
      products[lane] += Double(g) * Double(d)
      lane &+= 1
    }
  }

  /// dx = dy · scale + (x − centre) · slope + offset, with dy as relu let it through if `rectified`; dx may be dy.
  func inputGradient<X: LaneScalar, Y: LaneScalar>(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ factors: Factors, rectified: Bool,
    slope: UnsafePointer<Float>, offset: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Y>
  ) {
    eachPanelBackwards { start, tiles, width in
      let (dy, x, dx) = (dy + start, x + start, dx + start)
      if rectified {
        ChannelTiles.inputGradient(dy, x, tiles, lanes, width, factors, slope, offset, dx, rectified: true)
      } else {
        ChannelTiles.inputGradient(dy, x, tiles, lanes, width, factors, slope, offset, dx, rectified: false)
      }
    }
  }

  @inline(__always)
  private static func inputGradient<X: LaneScalar, Y: LaneScalar>(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ slope: UnsafePointer<Float>, _ offset: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Y>, rectified: Bool
  ) {
    var lane = 0
    while lane &+ 32 <= width {
      let (c0, c1) = (f.centre.lanes(lane), f.centre.lanes(lane &+ 16))
      let (a0, a1) = (f.scale.lanes(lane), f.scale.lanes(lane &+ 16))
      let (b0, b1) = (f.shift.lanes(lane), f.shift.lanes(lane &+ 16))
      let (p0, p1) = (slope.lanes(lane), slope.lanes(lane &+ 16))
      let (q0, q1) = (offset.lanes(lane), offset.lanes(lane &+ 16))
      var i = lane
      for _ in 0..<tiles {
        let (d0, d1) = (x.widened(i) - c0, x.widened(i &+ 16) - c1)
        var (g0, g1) = (dy.lanes(i), dy.lanes(i &+ 16))
        if rectified {
          g0 = g0.passed(by: d0 * a0 + b0)
          g1 = g1.passed(by: d1 * a1 + b1)
        }
        dx.round(g0 * a0 + d0 * p0 + q0, i)
        dx.round(g1 * a1 + d1 * p1 + q1, i &+ 16)
        i &+= stride
      }
      lane &+= 32
    }
    while lane &+ 16 <= width {
      let (c, a, b) = (f.centre.lanes(lane), f.scale.lanes(lane), f.shift.lanes(lane))
      let (p, q) = (slope.lanes(lane), offset.lanes(lane))
      var i = lane
      for _ in 0..<tiles {
        let d = x.widened(i) - c
        var g = dy.lanes(i)
        if rectified { g = g.passed(by: d * a + b) }
        dx.round(g * a + d * p + q, i)
        i &+= stride
      }
      lane &+= 16
    }
    while lane < width {
      let d = x[lane].float - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      dx[lane] = Y(g * f.scale[lane] + d * slope[lane] + offset[lane])
      lane &+= 1
    }
  }
}

// Gradients of normalisations, in two passes: sums, then the gradient of the input.
extension ChannelTiles {
  /// Which part of the gradient of the output counts.
  enum Mask {
    /// All of it.
    case none
    /// What relu let through, worked out again from the input.
    case recomputed
    /// What relu let through of dy (+ more), seen from the output; the masked gradient is stored.
    case output(UnsafePointer<Float>, more: UnsafePointer<Float>?, masked: UnsafeMutablePointer<Float>)
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
      case .output(let y, let more, let masked):
        let (y, more, masked) = (y + start, more.map { $0 + start }, masked + start)
        ChannelTiles.mask(dy, more, y, tiles &* lanes &- lanes &+ width, into: masked)
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

  /// masked = dy (+ more) where y lets it through; masked may be dy.
  @inline(never)
  private static func mask(
    _ dy: UnsafePointer<Float>, _ more: UnsafePointer<Float>?, _ y: UnsafePointer<Float>, _ count: Int,
    into masked: UnsafeMutablePointer<Float>
  ) {
    var i = 0
    if let more {
      while i &+ 16 <= count {
        masked.store((dy.lanes(i) + more.lanes(i)).passed(by: y.lanes(i)), i)
        i &+= 16
      }
    } else {
      while i &+ 16 <= count {
        masked.store(dy.lanes(i).passed(by: y.lanes(i)), i)
        i &+= 16
      }
    }
    while i < count {
      masked[i] = (more.map { dy[i] + $0[i] } ?? dy[i]).passed(by: y[i])
      i &+= 1
    }
  }

  @inline(__always)
  private static func reduce<X: LaneScalar>(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ sums: UnsafeMutablePointer<Double>, _ products: UnsafeMutablePointer<Double>, rectified: Bool
  ) {
    var lane = 0
    while lane &+ 64 <= width {
      reduceColumn(FourLanes.self, lane, dy, x, tiles, stride, f, sums, products, rectified: rectified)
      lane &+= 64
    }
    while lane &+ 16 <= width {
      reduceColumn(Lanes.self, lane, dy, x, tiles, stride, f, sums, products, rectified: rectified)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      let d = x[lane].float - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      sums[lane] += Double(g)
      products[lane] += Double(g) * Double(d)
      lane &+= 1
    }
  }

  @inline(__always)
  private static func reduceColumn<Group: LaneGroup, X: LaneScalar>(
    _ group: Group.Type, _ lane: Int, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ tiles: Int, _ stride: Int,
    _ f: Factors, _ sums: UnsafeMutablePointer<Double>, _ products: UnsafeMutablePointer<Double>, rectified: Bool
  ) {
    let (centre, scale, shift) = (Group.load(f.centre + lane), Group.load(f.scale + lane), Group.load(f.shift + lane))
    var (s, p) = (Group.zero, Group.zero)
    var i = lane
    for _ in 0..<tiles {
      let d = Group.load(x + i) - centre
      var g = Group.load(dy + i)
      if rectified { g = g.passed(by: d * scale + shift) }
      s = s + g
      p = p + g * d
      i &+= stride
    }
    s.add(to: sums + lane)
    p.add(to: products + lane)
  }

  /// dx = dy · scale + (x − centre) · slope + offset, with dy as relu let it through if `rectified`; dx may be dy or x.
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
    while lane &+ 64 <= width {
      inputColumn(FourLanes.self, lane, dy, x, tiles, stride, f, slope, offset, dx, rectified: rectified)
      lane &+= 64
    }
    while lane &+ 16 <= width {
      inputColumn(Lanes.self, lane, dy, x, tiles, stride, f, slope, offset, dx, rectified: rectified)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      let d = x[lane].float - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      dx[lane] = Y(g * f.scale[lane] + d * slope[lane] + offset[lane])
      lane &+= 1
    }
  }

  @inline(__always)
  private static func inputColumn<Group: LaneGroup, X: LaneScalar, Y: LaneScalar>(
    _ group: Group.Type, _ lane: Int, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<X>, _ tiles: Int, _ stride: Int,
    _ f: Factors, _ slope: UnsafePointer<Float>, _ offset: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Y>,
    rectified: Bool
  ) {
    let (centre, scale, shift) = (Group.load(f.centre + lane), Group.load(f.scale + lane), Group.load(f.shift + lane))
    let (slope, offset) = (Group.load(slope + lane), Group.load(offset + lane))
    var i = lane
    for _ in 0..<tiles {
      let d = Group.load(x + i) - centre
      var g = Group.load(dy + i)
      if rectified { g = g.passed(by: d * scale + shift) }
      (g * scale + d * slope + offset).store(dx + i)
      i &+= stride
    }
  }
}

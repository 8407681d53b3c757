/// Loops over `[rows, channels]` with something per channel: sums over rows, and maps with factors of a channel.
///
/// Rows lie side by side in *tiles* of `lanes` scalars, a multiple of sixteen and of the channels, so that any number of
/// channels fills vector registers: lane i of a tile always belongs to channel i mod channels.  Factors of a channel are
/// spread over the lanes of a tile.  Sixty-four tiles are a block: it stays in the first-level cache for a second
/// look at 64 lanes, and sums of Float32 are at most so long before they are added in Float64.
struct ChannelTiles: Sendable {
  let rows: Int
  let channels: Int
  /// Scalars of a tile.
  let lanes: Int
  /// Full tiles.
  private let tiles: Int
  /// Scalars of the last, partial tile.
  private let rest: Int
  private static let block = 64

  init(rows: Int, channels: Int) {
    self.rows = rows
    self.channels = channels
    var common = channels
    while common % 16 != 0 { common += channels }
    lanes = (64 + common - 1) / common * common
    tiles = rows * channels / lanes
    rest = rows * channels % lanes
  }

  /// Scratch memory for Float64 sums of `count` kinds, spread factors of `factors` kinds.
  func scratchBytes(sums count: Int, factors: Int) -> Int {
    count * PoolPlan.aligned(lanes * 8) + factors * PoolPlan.aligned(lanes * 4)
  }

  /// Calls `body` for blocks of tiles, then for the rest: the first scalar, tiles, and lanes that hold something.
  @inline(__always)
  private func eachPanel(_ body: (_ start: Int, _ tiles: Int, _ width: Int) -> Void) {
    var tile = 0
    while tile < tiles {
      let count = min(ChannelTiles.block, tiles &- tile)
      body(tile &* lanes, count, lanes)
      tile &+= count
    }
    if rest > 0 { body(tiles &* lanes, 1, rest) }
  }

  /// target[i] = source[i mod channels] for every lane.
  func spread(_ source: UnsafePointer<Float>, over target: UnsafeMutablePointer<Float>) {
    var i = 0
    while i < lanes {
      target.advanced(by: i).update(from: source, count: channels)
      i &+= channels
    }
  }

  /// Rows that lane `lane` has seen.
  private func count(_ lane: Int) -> Double { Double(tiles + (lane < rest ? 1 : 0)) }

  // MARK: Statistics

  /// Mean and sum of squared deviations of every channel, Float64.
  ///
  /// Each block is centred on its own mean, blocks and lanes are combined after Chan, Golub and LeVeque (1979), so that
  /// neither large means nor many rows cost digits.  `means` and `squares` hold `lanes` numbers; the first `channels`
  /// are the result.
  func moments(
    _ x: UnsafePointer<Float>, means: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
  ) {
    means.update(repeating: 0, count: lanes)
    squares.update(repeating: 0, count: lanes)
    var seen = 0
    eachPanel { start, tiles, width in
      ChannelTiles.moments(x + start, tiles, stride: lanes, width, seen: seen, means, squares)
      seen &+= tiles
    }
    for channel in 0..<channels {
      var (total, mean, square) = (0.0, 0.0, 0.0)
      var lane = channel
      while lane < lanes {
        let n = count(lane)
        if n > 0 {
          let delta = means[lane] - mean
          mean += delta * n / (total + n)
          square += squares[lane] + delta * delta * total * n / (total + n)
          total += n
        }
        lane &+= channels
      }
      (means[channel], squares[channel]) = (mean, square)
    }
  }

  @inline(never)
  private static func moments(
    _ x: UnsafePointer<Float>, _ tiles: Int, stride: Int, _ width: Int, seen: Int,
    _ means: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
  ) {
    let scale = 1 / Float(tiles)
    var lane = 0
    while lane &+ 64 <= width {
      var (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      var p = x + lane
      for _ in 0..<tiles {
        s0 += p.lanes(0)
        s1 += p.lanes(16)
        s2 += p.lanes(32)
        s3 += p.lanes(48)
        p += stride
      }
      let (c0, c1, c2, c3) = (s0 * scale, s1 * scale, s2 * scale, s3 * scale)
      (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      var (q0, q1, q2, q3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      p = x + lane
      for _ in 0..<tiles {
        let (d0, d1, d2, d3) = (p.lanes(0) - c0, p.lanes(16) - c1, p.lanes(32) - c2, p.lanes(48) - c3)
        s0 += d0
        s1 += d1
        s2 += d2
        s3 += d3
        q0 += d0 * d0
        q1 += d1 * d1
        q2 += d2 * d2
        q3 += d3 * d3
        p += stride
      }
      merge(c0, s0, q0, tiles, seen, means + lane, squares + lane)
      merge(c1, s1, q1, tiles, seen, means + (lane &+ 16), squares + (lane &+ 16))
      merge(c2, s2, q2, tiles, seen, means + (lane &+ 32), squares + (lane &+ 32))
      merge(c3, s3, q3, tiles, seen, means + (lane &+ 48), squares + (lane &+ 48))
      lane &+= 64
    }
    while lane &+ 16 <= width {
      var (s, q) = (Lanes.zero, Lanes.zero)
      for tile in 0..<tiles { s += x.lanes(tile &* stride &+ lane) }
      let c = s * scale
      s = .zero
      for tile in 0..<tiles {
        let d = x.lanes(tile &* stride &+ lane) - c
        s += d
        q += d * d
      }
      merge(c, s, q, tiles, seen, means + lane, squares + lane)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      let delta = Double(x[lane]) - means[lane]
      means[lane] += delta / Double(seen &+ 1)
      squares[lane] += delta * delta * Double(seen) / Double(seen &+ 1)
      lane &+= 1
    }
  }

  /// Adds `tiles` numbers a lane with mean c + s/tiles and squares q about c to `seen` earlier ones.
  @inline(__always)
  private static func merge(
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

  // MARK: Maps

  /// Factors of a normalisation, spread over the lanes of a tile: y = (x − centre) · scale + shift.
  struct Factors {
    let centre: UnsafePointer<Float>
    let scale: UnsafePointer<Float>
    let shift: UnsafePointer<Float>
  }

  /// y = (x − centre) · scale + shift (+ residual), with relu if `rectified`; y may be x or the residual.
  func normalise(
    _ x: UnsafePointer<Float>, _ factors: Factors, residual: UnsafePointer<Float>?, rectified: Bool,
    into y: UnsafeMutablePointer<Float>
  ) {
    eachPanel { start, tiles, width in
      let (x, y, r) = (x + start, y + start, (residual ?? x) + start)
      switch (residual != nil, rectified) {
      case (false, false): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: false, rectified: false)
      case (false, true): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: false, rectified: true)
      case (true, false): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: true, rectified: false)
      case (true, true): ChannelTiles.map(x, r, tiles, lanes, width, factors, y, adds: true, rectified: true)
      }
    }
  }

  @inline(__always)
  private static func map(
    _ x: UnsafePointer<Float>, _ r: UnsafePointer<Float>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ y: UnsafeMutablePointer<Float>, adds: Bool, rectified: Bool
  ) {
    var lane = 0
    while lane &+ 32 <= width {
      let (c0, c1) = (f.centre.lanes(lane), f.centre.lanes(lane &+ 16))
      let (a0, a1) = (f.scale.lanes(lane), f.scale.lanes(lane &+ 16))
      let (b0, b1) = (f.shift.lanes(lane), f.shift.lanes(lane &+ 16))
      var i = lane
      for _ in 0..<tiles {
        var v0 = (x.lanes(i) - c0) * a0 + b0
        var v1 = (x.lanes(i &+ 16) - c1) * a1 + b1
        if adds {
          v0 += r.lanes(i)
          v1 += r.lanes(i &+ 16)
        }
        y.store(rectified ? v0.rectified : v0, i)
        y.store(rectified ? v1.rectified : v1, i &+ 16)
        i &+= stride
      }
      lane &+= 32
    }
    while lane &+ 16 <= width {
      let (c, a, b) = (f.centre.lanes(lane), f.scale.lanes(lane), f.shift.lanes(lane))
      var i = lane
      for _ in 0..<tiles {
        var v = (x.lanes(i) - c) * a + b
        if adds { v += r.lanes(i) }
        y.store(rectified ? v.rectified : v, i)
        i &+= stride
      }
      lane &+= 16
    }
    while lane < width {
      var v = (x[lane] - f.centre[lane]) * f.scale[lane] + f.shift[lane]
      if adds { v += r[lane] }
      y[lane] = rectified ? v.rectified : v
      lane &+= 1
    }
  }

  // MARK: Gradients

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
  func gradientSums(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ factors: Factors, _ mask: Mask,
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
  private static func reduce(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
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
        let (d0, d1) = (x.lanes(i) - c0, x.lanes(i &+ 16) - c1)
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
        let d = x.lanes(i) - c
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
      let d = x[lane] - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      sums[lane] += Double(g)
      products[lane] += Double(g) * Double(d)
      lane &+= 1
    }
  }

  /// dx = dy · scale + (x − centre) · slope + offset, with dy as relu let it through if `rectified`; dx may be dy.
  func inputGradient(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ factors: Factors, rectified: Bool,
    slope: UnsafePointer<Float>, offset: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>
  ) {
    eachPanel { start, tiles, width in
      let (dy, x, dx) = (dy + start, x + start, dx + start)
      if rectified {
        ChannelTiles.inputGradient(dy, x, tiles, lanes, width, factors, slope, offset, dx, rectified: true)
      } else {
        ChannelTiles.inputGradient(dy, x, tiles, lanes, width, factors, slope, offset, dx, rectified: false)
      }
    }
  }

  @inline(__always)
  private static func inputGradient(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ tiles: Int, _ stride: Int, _ width: Int, _ f: Factors,
    _ slope: UnsafePointer<Float>, _ offset: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, rectified: Bool
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
        let (d0, d1) = (x.lanes(i) - c0, x.lanes(i &+ 16) - c1)
        var (g0, g1) = (dy.lanes(i), dy.lanes(i &+ 16))
        if rectified {
          g0 = g0.passed(by: d0 * a0 + b0)
          g1 = g1.passed(by: d1 * a1 + b1)
        }
        dx.store(g0 * a0 + d0 * p0 + q0, i)
        dx.store(g1 * a1 + d1 * p1 + q1, i &+ 16)
        i &+= stride
      }
      lane &+= 32
    }
    while lane &+ 16 <= width {
      let (c, a, b) = (f.centre.lanes(lane), f.scale.lanes(lane), f.shift.lanes(lane))
      let (p, q) = (slope.lanes(lane), offset.lanes(lane))
      var i = lane
      for _ in 0..<tiles {
        let d = x.lanes(i) - c
        var g = dy.lanes(i)
        if rectified { g = g.passed(by: d * a + b) }
        dx.store(g * a + d * p + q, i)
        i &+= stride
      }
      lane &+= 16
    }
    while lane < width {
      let d = x[lane] - f.centre[lane]
      var g = dy[lane]
      if rectified { g = g.passed(by: d * f.scale[lane] + f.shift[lane]) }
      dx[lane] = g * f.scale[lane] + d * slope[lane] + offset[lane]
      lane &+= 1
    }
  }
}

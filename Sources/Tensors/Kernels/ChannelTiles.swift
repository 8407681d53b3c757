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
  func eachPanel(_ body: (_ start: Int, _ tiles: Int, _ width: Int) -> Void) {
    var tile = 0
    while tile < tiles {
      let count = min(ChannelTiles.block, tiles &- tile)
      body(tile &* lanes, count, lanes)
      tile &+= count
    }
    if rest > 0 { body(tiles &* lanes, 1, rest) }
  }

  /// The same from the last to the first, for a second pass that starts with what the first left in the cache.
  @inline(__always)
  func eachPanelBackwards(_ body: (_ start: Int, _ tiles: Int, _ width: Int) -> Void) {
    if rest > 0 { body(tiles &* lanes, 1, rest) }
    var end = tiles
    while end > 0 {
      let first = (end &- 1) / ChannelTiles.block &* ChannelTiles.block
      body(first &* lanes, end &- first, lanes)
      end = first
    }
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

  /// Mean and sum of squared deviations of every channel, Float64.
  ///
  /// Each block is centred on its own mean, blocks and lanes are combined after Chan, Golub and LeVeque (1979), so that
  /// neither large means nor many rows cost digits.  `means` and `squares` hold `lanes` numbers; the first `channels`
  /// are the result.
  func moments<Scalar: LaneScalar>(
    _ x: UnsafePointer<Scalar>, means: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
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
  private static func moments<Scalar: LaneScalar>(
    _ x: UnsafePointer<Scalar>, _ tiles: Int, stride: Int, _ width: Int, seen: Int,
    _ means: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
  ) {
    let scale = 1 / Float(tiles)
    var lane = 0
    while lane &+ 64 <= width {
      var (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      var p = x + lane
      for _ in 0..<tiles {
        s0 += p.widened(0)
        s1 += p.widened(16)
        s2 += p.widened(32)
        s3 += p.widened(48)
        p += stride
      }
      let (c0, c1, c2, c3) = (s0 * scale, s1 * scale, s2 * scale, s3 * scale)
      (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      var (q0, q1, q2, q3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
      p = x + lane
      for _ in 0..<tiles {
        let (d0, d1, d2, d3) = (p.widened(0) - c0, p.widened(16) - c1, p.widened(32) - c2, p.widened(48) - c3)
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
      for tile in 0..<tiles { s += x.widened(tile &* stride &+ lane) }
      let c = s * scale
      s = .zero
      for tile in 0..<tiles {
        let d = x.widened(tile &* stride &+ lane) - c
        s += d
        q += d * d
      }
      merge(c, s, q, tiles, seen, means + lane, squares + lane)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      let delta = Double(x[lane].float) - means[lane]
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

  /// target[c] = Σ x over rows (+ target[c]): blocks in Float32, their sums in Float64 in `sums`, which holds `lanes` numbers.
  func sum<Scalar: LaneScalar>(
    _ x: UnsafePointer<Scalar>, into target: UnsafeMutablePointer<Float>, accumulate: Bool,
    sums: UnsafeMutablePointer<Double>
  ) {
    sums.update(repeating: 0, count: lanes)
    eachPanel { start, tiles, width in ChannelTiles.sum(x + start, tiles, stride: lanes, width, into: sums) }
    for channel in 0..<channels {
      var total = 0.0
      var lane = channel
      while lane < lanes {
        total += sums[lane]
        lane &+= channels
      }
      target[channel] = (accumulate ? target[channel] : 0) + Float(total)
    }
  }

  @inline(never)
  private static func sum<Scalar: LaneScalar>(
    _ x: UnsafePointer<Scalar>, _ tiles: Int, stride: Int, _ width: Int, into sums: UnsafeMutablePointer<Double>
  ) {
    var lane = 0
    while lane &+ 32 <= width {
      var (s0, s1) = (Lanes.zero, Lanes.zero)
      var i = lane
      for _ in 0..<tiles {
        s0 += x.widened(i)
        s1 += x.widened(i &+ 16)
        i &+= stride
      }
      sums.add(s0, lane)
      sums.add(s1, lane &+ 16)
      lane &+= 32
    }
    while lane &+ 16 <= width {
      var s = Lanes.zero
      for tile in 0..<tiles { s += x.widened(tile &* stride &+ lane) }
      sums.add(s, lane)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      sums[lane] += Double(x[lane].float)
      lane &+= 1
    }
  }
}

/// Loops over `[rows, channels]` with something per channel: sums over rows, and maps with factors of a channel.
///
/// Rows lie side by side in *tiles* of `lanes` scalars, a multiple of sixteen and of the channels, so that any number of
/// channels fills vector registers: lane i of a tile always belongs to channel i mod channels.  Factors of a channel are
/// spread over the lanes of a tile.  Sums of Float32 are at most one block of tiles long before they are added in
/// Float64.
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
  /// Tiles that are mapped in a row: long enough for the processor to read ahead.
  private static let run = 1024

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

  /// Longer runs of tiles from the last to the first, for a second pass that starts with what the first left in the cache.
  @inline(__always)
  func eachPanelBackwards(_ body: (_ start: Int, _ tiles: Int, _ width: Int) -> Void) {
    if rest > 0 { body(tiles &* lanes, 1, rest) }
    var end = tiles
    while end > 0 {
      let first = (end &- 1) / ChannelTiles.run &* ChannelTiles.run
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
  /// The first block is centred on its own mean, any other on that of all before it; blocks and lanes are combined after
  /// Chan, Golub and LeVeque (1979), so that neither large means nor many rows cost digits.  `means` and `squares` hold `lanes` numbers; the first `channels`
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
    var lane = 0
    while lane &+ 64 <= width {
      momentColumn(FourLanes.self, x + lane, tiles, stride, seen, means + lane, squares + lane)
      lane &+= 64
    }
    while lane &+ 16 <= width {
      momentColumn(Lanes.self, x + lane, tiles, stride, seen, means + lane, squares + lane)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      let delta = Double(x[lane].float) - means[lane]
      means[lane] += delta / Double(seen &+ 1)
      squares[lane] += delta * delta * Double(seen) / Double(seen &+ 1)
      lane &+= 1
    }
  }

  @inline(__always)
  private static func momentColumn<Group: LaneGroup, Scalar: LaneScalar>(
    _ group: Group.Type, _ x: UnsafePointer<Scalar>, _ tiles: Int, _ stride: Int, _ seen: Int,
    _ means: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
  ) {
    var centre = Group.mean(means)
    if seen == 0 {
      var s = Group.zero
      for tile in 0..<tiles { s = s + Group.load(x + tile &* stride) }
      centre = s.scaled(by: 1 / Float(tiles))
    }
    var (s, q) = (Group.zero, Group.zero)
    var p = x
    for _ in 0..<tiles {
      let d = Group.load(p) - centre
      s = s + d
      q = q + d * d
      p += stride
    }
    Group.merge(centre, s, q, tiles, seen, means, squares)
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
    while lane &+ 64 <= width {
      sumColumn(FourLanes.self, x + lane, tiles, stride, into: sums + lane)
      lane &+= 64
    }
    while lane &+ 16 <= width {
      sumColumn(Lanes.self, x + lane, tiles, stride, into: sums + lane)
      lane &+= 16
    }
    while lane < width {  // the partial tile only: one row
      sums[lane] += Double(x[lane].float)
      lane &+= 1
    }
  }

  @inline(__always)
  private static func sumColumn<Group: LaneGroup, Scalar: LaneScalar>(
    _ group: Group.Type, _ x: UnsafePointer<Scalar>, _ tiles: Int, _ stride: Int,
    into sums: UnsafeMutablePointer<Double>
  ) {
    var s = Group.zero
    for tile in 0..<tiles { s = s + Group.load(x + tile &* stride) }
    s.add(to: sums)
  }
}

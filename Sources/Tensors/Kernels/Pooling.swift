/// Loops of pooling, sixteen channels at a time.
enum Pooling {
  /// The position that stands for no pixel: relu holds the gradient back.
  static let nowhere: Int32 = -1

  /// y = the largest pixel under each window, and the number of its tap; NaN counts as largest, the last of several
  /// wins, as in PyTorch.  With relu if `rectified`.
  @inline(never)
  static func largest<Tap: FixedWidthInteger & SIMDScalar>(
    _ shape: PoolShape, _ x: UnsafePointer<Float>, rectified: Bool, into y: UnsafeMutablePointer<Float>,
    taps: UnsafeMutablePointer<Tap>
  ) {
    let (channels, kernel) = (shape.channels, Int32(truncatingIfNeeded: shape.window.kernel))
    let line = shape.width &* channels
    shape.eachPosition { position in
      let (x, y, taps) = (x + position.input, y + position.output, taps + position.output)
      let first = Int32(truncatingIfNeeded: position.tap)
      var c = 0
      while c &+ 16 <= channels {
        var best = x.lanes(c)
        var bestTap = SIMD16<Int32>(repeating: first)
        var row = x + c
        var rowTap = first
        var i = 0
        while i < position.height {
          var (pixel, tap) = (row, rowTap)
          var j = 0
          while j < position.width {
            let value = pixel.lanes(0)
            let isBetter = (value .> best) .| (value .!= value)
            best.replace(with: value, where: isBetter)
            bestTap.replace(with: SIMD16<Int32>(repeating: tap), where: isBetter)
            pixel += channels
            tap &+= 1
            j &+= 1
          }
          row += line
          rowTap &+= kernel
          i &+= 1
        }
        if rectified {
          let isHeld = best .<= Lanes.zero
          best.replace(with: Lanes.zero, where: isHeld)
          bestTap.replace(with: SIMD16<Int32>(repeating: nowhere), where: isHeld)
        }
        y.store(best, c)
        UnsafeMutableRawPointer(taps + c).storeBytes(
          of: SIMD16<Tap>(truncatingIfNeeded: bestTap), as: SIMD16<Tap>.self)
        c &+= 16
      }
      while c < channels {
        var (best, bestTap) = (x[c], first)
        var i = 0
        while i < position.height {
          var j = 0
          while j < position.width {
            let value = x[i &* line &+ j &* channels &+ c]
            if value > best || value != value {
              (best, bestTap) = (value, first &+ Int32(truncatingIfNeeded: i) &* kernel &+ Int32(truncatingIfNeeded: j))
            }
            j &+= 1
          }
          i &+= 1
        }
        if rectified && best <= 0 { (best, bestTap) = (0, nowhere) }
        y[c] = best
        taps[c] = Tap(truncatingIfNeeded: bestTap)
        c &+= 1
      }
    }
  }

  /// dx = dy at the pixel that was largest, summed where windows overlap.
  @inline(never)
  static func largestGradient<Tap: FixedWidthInteger & SIMDScalar>(
    _ shape: PoolShape, _ dy: UnsafePointer<Float>, taps: UnsafePointer<Tap>, into dx: UnsafeMutablePointer<Float>
  ) {
    let (channels, kernel) = (shape.channels, Int32(truncatingIfNeeded: shape.window.kernel))
    let line = shape.width &* channels
    let adds = !shape.isDisjoint
    if !shape.isTiling { dx.update(repeating: 0, count: shape.image.count) }
    shape.eachPosition { position in
      let (dx, dy, taps) = (dx + position.input, dy + position.output, taps + position.output)
      let first = Int32(truncatingIfNeeded: position.tap)
      var c = 0
      while c &+ 16 <= channels {
        let gradient = dy.lanes(c)
        let taken = UnsafeRawPointer(taps + c).loadUnaligned(as: SIMD16<Tap>.self)
        var i = 0
        var row = dx + c
        var rowTap = first
        while i < position.height {
          var (pixel, tap) = (row, rowTap)
          var j = 0
          while j < position.width {
            let share = choose(gradient, where: taken, is: Tap(truncatingIfNeeded: tap))
            pixel.store(adds ? pixel.lanes(0) + share : share, 0)
            pixel += channels
            tap &+= 1
            j &+= 1
          }
          row += line
          rowTap &+= kernel
          i &+= 1
        }
        c &+= 16
      }
      while c < channels {
        var i = 0
        while i < position.height {
          var j = 0
          while j < position.width {
            let tap = first &+ Int32(truncatingIfNeeded: i) &* kernel &+ Int32(truncatingIfNeeded: j)
            let share = taps[c] == Tap(truncatingIfNeeded: tap) ? dy[c] : 0
            let place = i &* line &+ j &* channels &+ c
            dx[place] = adds ? dx[place] + share : share
            j &+= 1
          }
          i &+= 1
        }
        c &+= 1
      }
    }
  }

  @inline(__always)
  private static func choose<Tap: FixedWidthInteger & SIMDScalar>(
    _ gradient: Lanes, where taken: SIMD16<Tap>, is tap: Tap
  ) -> Lanes {
    Lanes.zero.replacing(
      with: gradient,
      where: SIMD16<Int32>(truncatingIfNeeded: taken) .== SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: tap)))
  }

  /// y = the mean of the pixels under each window; zeros around the image count if `countsPadding`.
  @inline(never)
  static func mean(
    _ shape: PoolShape, _ x: UnsafePointer<Float>, countsPadding: Bool, into y: UnsafeMutablePointer<Float>
  ) {
    let (channels, line) = (shape.channels, shape.width &* shape.channels)
    let all = shape.taps
    shape.eachPosition { position in
      let (x, y) = (x + position.input, y + position.output)
      let scale = 1 / Float(countsPadding ? all : position.height &* position.width)
      var c = 0
      while c &+ 16 <= channels {
        var sum = Lanes.zero
        for i in 0..<position.height {
          for j in 0..<position.width { sum += x.lanes(i &* line &+ j &* channels &+ c) }
        }
        y.store(sum * scale, c)
        c &+= 16
      }
      while c < channels {
        var sum: Float = 0
        for i in 0..<position.height {
          for j in 0..<position.width { sum += x[i &* line &+ j &* channels &+ c] }
        }
        y[c] = sum * scale
        c &+= 1
      }
    }
  }

  /// dx = the share of each pixel in the means, summed where windows overlap.
  @inline(never)
  static func meanGradient(
    _ shape: PoolShape, _ dy: UnsafePointer<Float>, countsPadding: Bool, into dx: UnsafeMutablePointer<Float>
  ) {
    let (channels, line) = (shape.channels, shape.width &* shape.channels)
    let (all, adds) = (shape.taps, !shape.isDisjoint)
    if !shape.isTiling { dx.update(repeating: 0, count: shape.image.count) }
    shape.eachPosition { position in
      let (dx, dy) = (dx + position.input, dy + position.output)
      let scale = 1 / Float(countsPadding ? all : position.height &* position.width)
      var c = 0
      while c &+ 16 <= channels {
        let share = dy.lanes(c) * scale
        for i in 0..<position.height {
          for j in 0..<position.width {
            let place = i &* line &+ j &* channels &+ c
            dx.store(adds ? dx.lanes(place) + share : share, place)
          }
        }
        c &+= 16
      }
      while c < channels {
        let share = dy[c] * scale
        for i in 0..<position.height {
          for j in 0..<position.width {
            let place = i &* line &+ j &* channels &+ c
            dx[place] = adds ? dx[place] + share : share
          }
        }
        c &+= 1
      }
    }
  }

  /// y[n, c] = the mean of an image's pixels.
  static func globalMean(
    _ x: UnsafePointer<Float>, batch: Int, pixels: Int, channels: Int, into y: UnsafeMutablePointer<Float>
  ) {
    for n in 0..<batch {
      Rows.sum(
        x + n * pixels * channels, into: y + n * channels, rows: pixels, columns: channels, accumulate: false)
    }
    var i = 0
    let divisor = Float(pixels)
    while i < batch &* channels {
      y[i] /= divisor
      i &+= 1
    }
  }

  /// dx = dy / pixels at every pixel.
  @inline(never)
  static func globalMeanGradient(
    _ dy: UnsafePointer<Float>, batch: Int, pixels: Int, channels: Int, into dx: UnsafeMutablePointer<Float>
  ) {
    let divisor = Float(pixels)
    for n in 0..<batch {
      let (dy, image) = (dy + n &* channels, dx + n &* pixels &* channels)
      var c = 0
      while c < channels {
        image[c] = dy[c] / divisor
        c &+= 1
      }
      for p in 1..<max(1, pixels) { (image + p &* channels).update(from: image, count: channels) }
    }
  }
}

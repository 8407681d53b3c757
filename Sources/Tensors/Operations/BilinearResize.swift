/// Images of another size: each pixel is the mean of the four it lies between, weighted by nearness.
struct BilinearResize: Operation {
  let name = "bilinear resize"
  let shape: ResizeShape

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 7 * shape.result.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        let (images, made) = (run[x], run[y])
        shape.eachPixel { to, corners in
          Resizing.blend(images, corners, into: made + to, shape.channels)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(BilinearResizeGradient(shape: shape), [gradient], [.new(shape.image)])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy shared among the four pixels that each was made of.
struct BilinearResizeGradient: Operation {
  let name = "bilinear resize gradient"
  let shape: ResizeShape

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 8 * shape.result.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in
        let (slopes, images) = (run[dy], run[dx])
        images.update(repeating: 0, count: shape.image.count)
        shape.eachPixel { from, corners in
          Resizing.spread(slopes + from, corners, into: images, shape.channels)
        }
      }
    }
  }
}

/// The extents of a resizing of images `[batch, height, width, channels]`.
struct ResizeShape: Hashable, Sendable {
  let batch: Int
  let height: Int
  let width: Int
  let channels: Int
  let outputHeight: Int
  let outputWidth: Int

  var image: Shape { [batch, height, width, channels] }
  var result: Shape { [batch, outputHeight, outputWidth, channels] }

  /// First scalars of the pixels at the four corners, and the weights of the lower and the right ones.
  struct Corners {
    let upperLeft: Int
    let upperRight: Int
    let lowerLeft: Int
    let lowerRight: Int
    let down: Float
    let right: Float
  }

  /// The pixels that a place of the result lies between: centres of pixels are at halves (PyTorch's `align_corners=False`).
  @inline(__always)
  private static func place(_ index: Int, from extent: Int, to wanted: Int) -> (first: Int, second: Int, weight: Float)
  {
    let place = max(0, (Float(index) + 0.5) * (Float(extent) / Float(wanted)) - 0.5)
    let first = min(Int(place), extent &- 1)
    return (first, min(first &+ 1, extent &- 1), place - Float(first))
  }

  /// Calls `body` with the first scalar of every pixel of the result, and what it is made of.
  @inline(__always)
  func eachPixel(_ body: (Int, Corners) -> Void) {
    var output = 0
    var sample = 0
    while sample < batch {
      let image = sample &* height &* width
      var y = 0
      while y < outputHeight {
        let row = ResizeShape.place(y, from: height, to: outputHeight)
        let (upper, lower) = (image &+ row.first &* width, image &+ row.second &* width)
        var x = 0
        while x < outputWidth {
          let column = ResizeShape.place(x, from: width, to: outputWidth)
          body(
            output,
            Corners(
              upperLeft: (upper &+ column.first) &* channels, upperRight: (upper &+ column.second) &* channels,
              lowerLeft: (lower &+ column.first) &* channels, lowerRight: (lower &+ column.second) &* channels,
              down: row.weight, right: column.weight))
          output &+= channels
          x &+= 1
        }
        y &+= 1
      }
      sample &+= 1
    }
  }
}

/// Loops of resizing over the channels of a pixel.
enum Resizing {
  /// y = the weighted mean of four pixels.
  @inline(__always)
  static func blend(
    _ images: UnsafePointer<Float>, _ corners: ResizeShape.Corners, into y: UnsafeMutablePointer<Float>, _ channels: Int
  ) {
    let (a, b) = (images + corners.upperLeft, images + corners.upperRight)
    let (c, d) = (images + corners.lowerLeft, images + corners.lowerRight)
    let (down, right) = (corners.down, corners.right)
    let (up, left) = (1 - down, 1 - right)
    var i = 0
    while i < channels {
      y[i] = up * (left * a[i] + right * b[i]) + down * (left * c[i] + right * d[i])
      i &+= 1
    }
  }

  /// Adds to four pixels, two or all of which may be the same, their shares of dy.
  @inline(__always)
  static func spread(
    _ dy: UnsafePointer<Float>, _ corners: ResizeShape.Corners, into images: UnsafeMutablePointer<Float>,
    _ channels: Int
  ) {
    let (down, right) = (corners.down, corners.right)
    let (up, left) = (1 - down, 1 - right)
    add(dy, up * left, to: images + corners.upperLeft, channels)
    add(dy, up * right, to: images + corners.upperRight, channels)
    add(dy, down * left, to: images + corners.lowerLeft, channels)
    add(dy, down * right, to: images + corners.lowerRight, channels)
  }

  @inline(__always)
  private static func add(
    _ dy: UnsafePointer<Float>, _ weight: Float, to dx: UnsafeMutablePointer<Float>, _ channels: Int
  ) {
    var i = 0
    while i < channels {
      dx[i] += weight * dy[i]
      i &+= 1
    }
  }
}

extension Recorder {
  /// Images of another size, `[batch, h, w, channels]` to `[batch, height, width, channels]`, by bilinear interpolation with
  /// the centres of pixels at halves: PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
  public func bilinearResize(_ x: Value, height: Int, width: Int) -> Value {
    let image = shape(x)
    precondition(
      image.rank == 4 && image.count > 0 && height > 0 && width > 0, "resizing \(image) to \(height)×\(width)")
    let resize = ResizeShape(
      batch: image[0], height: image[1], width: image[2], channels: image[3], outputHeight: height, outputWidth: width)
    return append(BilinearResize(shape: resize), [x], [.new(resize.result)])[0]
  }
}

/// Between channels-last images and matrices whose rows are the windows of output pixels: `[pixels, kernel height ·
/// kernel width · channels of a group]`.
struct ImageColumns: Sendable {
  let shape: ConvolutionShape
  /// Scalars of a row.
  let width: Int

  init(_ shape: ConvolutionShape) {
    self.shape = shape
    width = shape.taps * shape.groupInputs
  }

  /// Output pixels of the batch.
  var rows: Int { shape.batch * shape.outputHeight * shape.outputWidth }

  /// Calls `body` with every tap of output pixels `pixels`: the first scalar of the tap in the columns, and of the pixel
  /// under it in the image, negative where that lies outside.
  @inline(__always)
  private func eachTap(_ pixels: Range<Int>, group: Int, _ body: (_ column: Int, _ image: Int) -> Void) {
    let (height, width, channels) = (shape.height, shape.width, shape.inputs)
    let (outputHeight, outputWidth) = (shape.outputHeight, shape.outputWidth)
    let depth = shape.groupInputs
    let (stride, padding, dilation) = (shape.stride, shape.padding, shape.dilation)
    let (kernelHeight, kernelWidth) = (shape.kernelHeight, shape.kernelWidth)
    var ox = pixels.lowerBound % outputWidth
    var oy = pixels.lowerBound / outputWidth % outputHeight
    var sample = pixels.lowerBound / (outputWidth * outputHeight)
    var column = 0
    for _ in pixels {
      var ky = 0
      while ky < kernelHeight {
        let y = oy &* stride &- padding &+ ky &* dilation
        let line = (sample &* height &+ y) &* width
        var kx = 0
        while kx < kernelWidth {
          let x = ox &* stride &- padding &+ kx &* dilation
          let inside = y >= 0 && y < height && x >= 0 && x < width
          body(column, inside ? (line &+ x) &* channels &+ group &* depth : -1)
          column &+= depth
          kx &+= 1
        }
        ky &+= 1
      }
      ox &+= 1
      if ox == outputWidth {
        ox = 0
        oy &+= 1
        if oy == outputHeight {
          oy = 0
          sample &+= 1
        }
      }
    }
  }

  /// Copies the windows of output pixels; zeros lie outside the image.
  @inline(never)
  func gather(
    _ image: UnsafePointer<Float>, _ pixels: Range<Int>, group: Int, into columns: UnsafeMutablePointer<Float>
  ) {
    let depth = shape.groupInputs
    eachTap(pixels, group: group) { column, place in
      if place < 0 {
        (columns + column).update(repeating: 0, count: depth)
      } else {
        var i = 0
        while i < depth {
          columns[column &+ i] = image[place &+ i]
          i &+= 1
        }
      }
    }
  }

  /// Adds the windows of output pixels to the image.
  @inline(never)
  func scatter(
    _ columns: UnsafePointer<Float>, _ pixels: Range<Int>, group: Int, addingTo image: UnsafeMutablePointer<Float>
  ) {
    let depth = shape.groupInputs
    eachTap(pixels, group: group) { column, place in
      guard place >= 0 else { return }
      var i = 0
      while i < depth {
        image[place &+ i] += columns[column &+ i]
        i &+= 1
      }
    }
  }
}

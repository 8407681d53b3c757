/// Every `step`-th pixel of a rectangle, the same in each image of a channels-last batch: what one tap of a kernel sees,
/// or where its products go.
struct PixelGrid: Sendable {
  /// Extents of an image.
  let height: Int
  let width: Int
  let channels: Int
  /// The first pixel.
  let firstRow: Int
  let firstColumn: Int
  /// Pixels of the grid along each edge.
  let rows: Int
  let columns: Int
  let step: Int

  /// Pixels of the grid in one image.
  var count: Int { rows * columns }

  /// Whether it is every pixel, so that images are their own packed rows.
  var isWhole: Bool { rows == height && columns == width }

  /// Calls `body` with runs of scalars that lie together in the image as in packed rows `[samples · count, channels]`.
  @inline(__always)
  private func eachRun(_ samples: Int, _ body: (_ packed: Int, _ image: Int, _ count: Int) -> Void) {
    let isDense = step == 1
    let (runs, length) = isDense ? (1, columns &* channels) : (columns, channels)
    let jump = step &* channels
    var packed = 0
    for sample in 0..<samples {
      for row in 0..<rows {
        let y = firstRow &+ row &* step
        var place = ((sample &* height &+ y) &* width &+ firstColumn) &* channels
        for _ in 0..<runs {
          body(packed, place, length)
          packed &+= length
          place &+= jump
        }
      }
    }
  }

  /// The grid of `samples` images as packed rows: the images themselves, or copies in `scratch`.
  @inline(__always)
  func packed(
    _ images: UnsafePointer<Float>, samples: Int, scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    if isWhole { return images }
    gather(images, samples: samples, into: scratch)
    return UnsafePointer(scratch)
  }

  /// Copies the grid of `samples` images to packed rows.
  @inline(never)
  private func gather(_ images: UnsafePointer<Float>, samples: Int, into packed: UnsafeMutablePointer<Float>) {
    eachRun(samples) { row, place, count in
      let (source, target) = (images + place, packed + row)
      var i = 0
      while i < count {
        target[i] = source[i]
        i &+= 1
      }
    }
  }

  /// Adds packed rows to the grid of `samples` images.
  @inline(never)
  func scatter(_ packed: UnsafePointer<Float>, samples: Int, addingTo images: UnsafeMutablePointer<Float>) {
    eachRun(samples) { row, place, count in
      let (source, target) = (packed + row, images + place)
      var i = 0
      while i < count {
        target[i] += source[i]
        i &+= 1
      }
    }
  }
}

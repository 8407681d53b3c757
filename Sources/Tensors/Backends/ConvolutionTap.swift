/// One tap of a kernel: the pixels that it reads, and those to which its products are added.
struct ConvolutionTap: Sendable {
  /// Its place in the kernel, row by row.
  let index: Int
  let source: PixelGrid
  let target: PixelGrid

  /// The way of the gradient, from output pixels to the image.
  var reversed: ConvolutionTap { ConvolutionTap(index: index, source: target, target: source) }

  /// Every tap of a convolution, from the image to output pixels; those that see only padding have empty grids.
  static func all(of shape: ConvolutionShape) -> [ConvolutionTap] {
    func pixelUnder(_ tap: Int, at position: Int) -> Int {
      position * shape.stride - shape.padding + tap * shape.dilation
    }
    return (0..<shape.taps).map { index in
      let (tapRow, tapColumn) = index.quotientAndRemainder(dividingBy: shape.kernelWidth)
      let rows = shape.vertical.positions(along: shape.height, seeing: tapRow)
      let columns = shape.horizontal.positions(along: shape.width, seeing: tapColumn)
      return ConvolutionTap(
        index: index,
        source: PixelGrid(
          height: shape.height, width: shape.width, channels: shape.inputs,
          firstRow: pixelUnder(tapRow, at: rows.lowerBound), firstColumn: pixelUnder(tapColumn, at: columns.lowerBound),
          rows: rows.count, columns: columns.count, step: shape.stride),
        target: PixelGrid(
          height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputs, firstRow: rows.lowerBound,
          firstColumn: columns.lowerBound, rows: rows.count, columns: columns.count, step: 1))
    }
  }
}

/// target = Σ over taps of the pixels read times the tap's weights, in an order that depends on the shape alone.
struct TapSum: Sendable {
  /// Those that see anything, one that reaches every target pixel first: its product starts the sums.
  private let taps: [ConvolutionTap]
  /// Scalars of a sample's target.
  private let count: Int
  /// Whether a tap's weights are `[target channels, source channels]`.
  private let transposed: Bool
  private let product = MatrixProduct(Compute(backend: .onednn))

  init(_ taps: [ConvolutionTap], transposed: Bool) {
    let seeing = taps.filter { $0.target.count > 0 }
    self.taps = seeing.filter(\.target.isWhole) + seeing.filter { !$0.target.isWhole }
    count = taps[0].target.height * taps[0].target.width * taps[0].target.channels
    self.transposed = transposed
  }

  /// `packed` and `products` hold the pixels of one tap, of the source and the target.
  func callAsFunction(
    _ source: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
    samples: Int, packed: UnsafeMutablePointer<Float>, products: UnsafeMutablePointer<Float>
  ) {
    var isBegun = false
    if taps.first?.target.isWhole != true {
      target.update(repeating: 0, count: samples * count)
      isBegun = true
    }
    for tap in taps {
      let (depth, width) = (tap.source.channels, tap.target.channels)
      let isWhole = tap.target.isWhole
      product(
        tap.source.packed(source, samples: samples, scratch: packed), lda: depth,
        weights + tap.index * depth * width, transposeB: transposed, ldb: transposed ? depth : width,
        into: isWhole ? target : products, ldc: width, m: samples * tap.source.count, n: width, k: depth,
        beta: isWhole && isBegun ? 1 : 0)
      if !isWhole { tap.target.scatter(products, samples: samples, addingTo: target) }
      isBegun = true
    }
  }
}

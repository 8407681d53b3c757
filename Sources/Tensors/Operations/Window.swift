/// How a square window moves over an image.
public struct Window: Hashable, Sendable {
  /// Pixels from one edge of the window to the other, without dilation.
  public let kernel: Int
  /// Pixels from one position to the next.
  public let stride: Int
  /// Pixels added around the image.
  public let padding: Int
  /// Pixels from one tap of the window to the next.
  public let dilation: Int

  /// A window; kernel, stride and dilation are at least 1.
  public init(kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1) {
    precondition(
      kernel > 0 && stride > 0 && padding >= 0 && dilation > 0,
      "a window of kernel \(kernel), stride \(stride), padding \(padding), dilation \(dilation)")
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
  }

  /// Positions along an edge of `extent` pixels; below 1 where the window is larger than the padded image.
  public func positions(along extent: Int) -> Int {
    let room = extent + 2 * padding - dilation * (kernel - 1) - 1
    return room < 0 ? 0 : room / stride + 1
  }

  /// The positions whose tap `tap` lies inside an edge of `extent` pixels.
  func positions(along extent: Int, seeing tap: Int) -> Range<Int> {
    let start = tap * dilation - padding  // pixel under the tap at position 0
    let first = start >= 0 ? 0 : (-start + stride - 1) / stride
    let end = start >= extent ? 0 : (extent - 1 - start) / stride + 1
    return first..<max(first, min(end, positions(along: extent)))
  }
}

/// The extents of a pooling: images `[batch, height, width, channels]` under a square window.
struct PoolShape: Hashable, Sendable {
  let batch: Int
  let height: Int
  let width: Int
  let channels: Int
  let window: Window

  init(_ image: Shape, _ window: Window) {
    (batch, height, width, channels) = (image[0], image[1], image[2], image[3])
    self.window = window
  }

  var outputHeight: Int { window.positions(along: height) }
  var outputWidth: Int { window.positions(along: width) }
  var taps: Int { window.kernel * window.kernel }
  var image: Shape { [batch, height, width, channels] }
  var result: Shape { [batch, outputHeight, outputWidth, channels] }
  /// Whether no pixel lies under two positions.
  var isDisjoint: Bool { window.stride >= window.kernel }
  /// Whether every pixel lies under exactly one position.
  var isTiling: Bool {
    window.stride == window.kernel && window.padding == 0 && height % window.kernel == 0 && width % window.kernel == 0
  }

  /// One position of the window: the output pixel and the part of the window inside the image.
  struct Position {
    /// First scalar of the output pixel.
    let output: Int
    /// First scalar of the first pixel inside.
    let input: Int
    /// Number of that pixel's tap.
    let tap: Int
    /// Rows and columns of the window inside.
    let height: Int
    let width: Int
  }

  /// Calls `body` with every position, in the order of the output.
  @inline(__always)
  func eachPosition(_ body: (Position) -> Void) {
    let (kernel, stride, padding) = (window.kernel, window.stride, window.padding)
    let (outputHeight, outputWidth) = (outputHeight, outputWidth)
    var output = 0
    var sample = 0
    while sample < batch {
      var oy = 0
      while oy < outputHeight {
        let y = oy &* stride &- padding
        let top = max(y, 0)
        let tall = min(y &+ kernel, height) &- top
        let line = (sample &* height &+ top) &* width
        var ox = 0
        while ox < outputWidth {
          let x = ox &* stride &- padding
          let left = max(x, 0)
          body(
            Position(
              output: output, input: (line &+ left) &* channels, tap: (top &- y) &* kernel &+ left &- x, height: tall,
              width: min(x &+ kernel, width) &- left))
          output &+= channels
          ox &+= 1
        }
        oy &+= 1
      }
      sample &+= 1
    }
  }
}

extension Recorder {
  /// The extents of a pooling of `x`, checked.
  func poolShape(_ x: Value, kernel: Int, stride: Int?, padding: Int) -> PoolShape {
    let image = shape(x)
    precondition(image.rank == 4, "pooling of \(image), which is not [batch, height, width, channels]")
    let pool = PoolShape(image, Window(kernel: kernel, stride: stride ?? kernel, padding: padding))
    precondition(
      pool.outputHeight > 0 && pool.outputWidth > 0 && 2 * padding <= kernel,
      "a pooling window of \(kernel) with padding \(padding) over \(image)")
    return pool
  }
}

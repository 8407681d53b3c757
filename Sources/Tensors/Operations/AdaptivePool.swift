/// y = the mean of each cell of a grid over the images, per channel.
struct AdaptivePool: Operation {
  let name = "adaptive pool"
  let grid: PoolGrid

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { inputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        let (images, made) = (run[x], run[y])
        grid.eachCell { output, cell in
          (made + output).update(repeating: 0, count: grid.channels)
          grid.eachPixel(of: cell) { pixel in
            GridPooling.add(images + pixel, cell.weight, to: made + output, grid.channels)
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(AdaptivePoolGradient(grid: grid), [gradient], [.new(grid.image)])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy shared evenly among the pixels of each cell.
struct AdaptivePoolGradient: Operation {
  let name = "adaptive pool gradient"
  let grid: PoolGrid

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in
        let (slopes, images) = (run[dy], run[dx])
        images.update(repeating: 0, count: grid.image.count)
        grid.eachCell { output, cell in
          grid.eachPixel(of: cell) { pixel in
            GridPooling.add(slopes + output, cell.weight, to: images + pixel, grid.channels)
          }
        }
      }
    }
  }
}

/// A grid of cells over images `[batch, height, width, channels]`; cell i of n begins at ⌊i · extent / n⌋ and ends before
/// ⌈(i + 1) · extent / n⌉, so cells overlap where n does not divide the extent.
struct PoolGrid: Hashable, Sendable {
  let batch: Int
  let height: Int
  let width: Int
  let channels: Int
  let rows: Int
  let columns: Int

  var image: Shape { [batch, height, width, channels] }
  var result: Shape { [batch, rows, columns, channels] }

  /// The pixels of a cell, and what each counts in the mean.
  struct Cell {
    let image: Int
    let rows: Range<Int>
    let columns: Range<Int>
    let weight: Float
  }

  @inline(__always)
  private static func cell(_ index: Int, of count: Int, extent: Int) -> Range<Int> {
    (index &* extent / count)..<(((index &+ 1) &* extent &+ count &- 1) / count)
  }

  /// Calls `body` with the first scalar of each cell's mean, and the cell.
  @inline(__always)
  func eachCell(_ body: (Int, Cell) -> Void) {
    var output = 0
    var sample = 0
    while sample < batch {
      var row = 0
      while row < rows {
        let tall = PoolGrid.cell(row, of: rows, extent: height)
        var column = 0
        while column < columns {
          let wide = PoolGrid.cell(column, of: columns, extent: width)
          let weight = 1 / Float(tall.count &* wide.count)
          body(output, Cell(image: sample &* height &* width, rows: tall, columns: wide, weight: weight))
          output &+= channels
          column &+= 1
        }
        row &+= 1
      }
      sample &+= 1
    }
  }

  /// Calls `body` with the first scalar of each pixel of a cell.
  @inline(__always)
  func eachPixel(of cell: Cell, _ body: (Int) -> Void) {
    var y = cell.rows.lowerBound
    while y < cell.rows.upperBound {
      var x = cell.columns.lowerBound
      while x < cell.columns.upperBound {
        body((cell.image &+ y &* width &+ x) &* channels)
        x &+= 1
      }
      y &+= 1
    }
  }
}

/// Loops of pooling by a grid over the channels of a pixel.
enum GridPooling {
  /// y ← y + weight · x.
  @inline(__always)
  static func add(
    _ x: UnsafePointer<Float>, _ weight: Float, to y: UnsafeMutablePointer<Float>, _ channels: Int
  ) {
    var i = 0
    while i < channels {
      y[i] += weight * x[i]
      i &+= 1
    }
  }
}

extension Recorder {
  /// The mean of each cell of a grid over the images, per channel: `[batch, height, width, channels]` to
  /// `[batch, rows, columns, channels]`, whatever the extents are: PyTorch's `adaptive_avg_pool2d`.
  public func adaptivePool(_ x: Value, rows: Int, columns: Int) -> Value {
    let image = shape(x)
    precondition(
      image.rank == 4 && image.count > 0 && rows > 0 && columns > 0, "a grid of \(rows)×\(columns) over \(image)")
    let grid = PoolGrid(
      batch: image[0], height: image[1], width: image[2], channels: image[3], rows: rows, columns: columns)
    return append(AdaptivePool(grid: grid), [x], [.new(grid.result)])[0]
  }
}

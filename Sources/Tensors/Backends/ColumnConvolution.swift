/// Convolutions by matrix products over gathered windows, for OpenBLAS.
///
/// Weights are packed as `[groups, kernel height, kernel width, inputs/groups, outputs/groups]`, one matrix a group.
/// Windows are gathered in chunks that stay in the second-level cache, whose size depends on the shape alone.  Where a
/// group is one input channel (depthwise) the products would be vectors; `DepthwiseConvolution` loops instead.
struct ColumnConvolution: ConvolutionLibrary {
  let precision = Compute.Precision.float32
  private let shape: ConvolutionShape
  private let columns: ImageColumns
  private let chunk: Int
  /// Whether the image is its own matrix of windows.
  private let isProduct: Bool
  private let isDepthwise: Bool

  init(_ shape: ConvolutionShape) {
    self.shape = shape
    columns = ImageColumns(shape)
    chunk = max(16, min(columns.rows, 262_144 / columns.width))
    isProduct = shape.taps == 1 && shape.stride == 1 && shape.padding == 0
    isDepthwise = shape.groupInputs == 1 && shape.groups > 1
  }

  private var weightBytes: Int { shape.weightCount * 4 }
  private var columnBytes: Int { isProduct || isDepthwise ? 0 : PoolPlan.aligned(chunk * columns.width * 4) }
  var packedBytes: Int? { weightBytes }
  var packedGradientBytes: Int? { weightBytes }
  var packsOnce: Bool { true }

  /// Calls `body` with the places of every weight in the parameter block and in the packed layout.
  @inline(__always)
  private func eachWeight(_ body: (_ plain: Int, _ packed: Int) -> Void) {
    let (depth, outputs, taps) = (shape.groupInputs, shape.groupOutputs, shape.taps)
    var plain = 0
    for group in 0..<shape.groups {
      for output in 0..<outputs {
        for input in 0..<depth {
          for tap in 0..<taps {
            let packed =
              isDepthwise
              ? tap &* shape.outputs &+ group &* outputs &+ output
              : ((group &* taps &+ tap) &* depth &+ input) &* outputs &+ output
            body(plain, packed)
            plain &+= 1
          }
        }
      }
    }
  }

  func pack(forGradient: Bool) -> Lowering {
    Lowering { at in
      let (weight, packed) = (at.inputs[0], at.outputs[0])
      return { run in
        let (source, target) = (run[weight], run[packed])
        eachWeight { plain, packed in target[packed] = source[plain] }
      }
    }
  }

  /// Output pixels in chunks.
  @inline(__always)
  private func eachChunk(_ body: (Range<Int>) -> Void) {
    var first = 0
    while first < columns.rows {
      let last = min(first + chunk, columns.rows)
      body(first..<last)
      first = last
    }
  }

  func forward(hasBias: Bool, precision: Compute.Precision) -> Lowering {
    let product = MatrixProduct(Compute(backend: .openblas))
    let (inputs, outputs, depth, width) = (shape.inputs, shape.groupOutputs, shape.groupInputs, columns.width)
    return Lowering(scratchBytes: columnBytes) { at in
      let (x, weights, y, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let bias = hasBias ? at.inputs[2] : x
      return { run in
        if isDepthwise {
          DepthwiseConvolution(shape).forward(run[x], run[weights], into: run[y])
        } else {
          eachChunk { pixels in
            for group in 0..<shape.groups {
              if !isProduct { columns.gather(run[x], pixels, group: group, into: run[scratch]) }
              product(
                isProduct ? run[x] + (pixels.lowerBound * inputs + group * depth) : run[scratch],
                lda: isProduct ? inputs : width, run[weights] + group * width * outputs, ldb: outputs,
                into: run[y] + (pixels.lowerBound * shape.outputs + group * outputs), ldc: shape.outputs,
                m: pixels.count, n: outputs, k: width)
            }
          }
        }
        if hasBias { Rows.add(run[bias], toRowsOf: run[y], rows: columns.rows, columns: shape.outputs) }
      }
    }
  }

  func inputGradient() -> Lowering {
    let product = MatrixProduct(Compute(backend: .openblas))
    let (inputs, outputs, depth, width) = (shape.inputs, shape.groupOutputs, shape.groupInputs, columns.width)
    return Lowering(scratchBytes: columnBytes) { at in
      let (dy, weights, dx, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      return { run in
        if !isProduct { run[dx].update(repeating: 0, count: shape.image.count) }
        if isDepthwise {
          DepthwiseConvolution(shape).inputGradient(run[dy], run[weights], addingTo: run[dx])
          return
        }
        eachChunk { pixels in
          for group in 0..<shape.groups {
            product(
              run[dy] + (pixels.lowerBound * shape.outputs + group * outputs), lda: shape.outputs,
              run[weights] + group * width * outputs, transposeB: true, ldb: outputs,
              into: isProduct ? run[dx] + (pixels.lowerBound * inputs + group * depth) : run[scratch],
              ldc: isProduct ? inputs : width, m: pixels.count, n: width, k: outputs)
            if !isProduct { columns.scatter(run[scratch], pixels, group: group, addingTo: run[dx]) }
          }
        }
      }
    }
  }

  func weightGradient(hasBias: Bool, accumulatesWeight: Bool, accumulatesBias: Bool) -> Lowering {
    let product = MatrixProduct(Compute(backend: .openblas))
    let (inputs, outputs, depth, width) = (shape.inputs, shape.groupOutputs, shape.groupInputs, columns.width)
    let tiles = ChannelTiles(rows: columns.rows, channels: shape.outputs)
    let sumStart = columnBytes + PoolPlan.aligned(weightBytes)
    return Lowering(scratchBytes: sumStart + tiles.scratchBytes(sums: 1, factors: 0)) { at in
      let (dy, x, dweight, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let (made, sums) = (scratch.advanced(by: columnBytes), scratch.advanced(by: sumStart))
      let dbias = hasBias ? at.outputs[1] : dweight
      return { run in
        if isDepthwise {
          DepthwiseConvolution(shape).weightGradient(run[dy], run[x], into: run[made])
        } else {
          eachChunk { pixels in
            for group in 0..<shape.groups {
              if !isProduct { columns.gather(run[x], pixels, group: group, into: run[scratch]) }
              product(
                isProduct ? run[x] + (pixels.lowerBound * inputs + group * depth) : run[scratch], transposeA: true,
                lda: isProduct ? inputs : width,
                run[dy] + (pixels.lowerBound * shape.outputs + group * outputs), ldb: shape.outputs,
                into: run[made] + group * width * outputs, ldc: outputs, m: width, n: outputs, k: pixels.count,
                beta: pixels.lowerBound == 0 ? 0 : 1)
            }
          }
        }
        let (source, target) = (run[made], run[dweight])
        if accumulatesWeight {
          eachWeight { plain, packed in target[plain] += source[packed] }
        } else {
          eachWeight { plain, packed in target[plain] = source[packed] }
        }
        if hasBias {
          tiles.sum(run[dy], into: run[dbias], accumulate: accumulatesBias, sums: run.doubles(sums))
        }
      }
    }
  }
}

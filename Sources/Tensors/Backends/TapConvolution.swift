/// Convolutions as one matrix product for each tap of the kernel, over the pixels that the tap sees, for small images.
///
/// Taps that lie outside the image cost nothing: of 3×3 kernels on 2×2 images that leaves 16 of 36 products.  Weights
/// are packed as `[taps, outputs, inputs]`.  Samples go in chunks of about 512 output pixels, so that what is gathered
/// stays in the second-level cache; their number depends on the shape alone, and so do the bits.
struct TapConvolution: ConvolutionLibrary {
  let precision = Compute.Precision.float32
  private let shape: ConvolutionShape
  private let taps: [ConvolutionTap]
  /// Samples at a time.
  private let chunk: Int

  /// Whether this is faster than oneDNN's convolution, as measured on one AVX-512 core with oneDNN 2.6: kernels of 1 to 7,
  /// batches of 3 to 127, images of 1 to 28 pixels, 17 to 1,024 channels.
  ///
  /// oneDNN holds a line of output pixels in registers, so that short lines leave it idle, and steps over pixels cost it
  /// more; products need channels to be worth moving the pixels for.
  static func isFaster(_ shape: ConvolutionShape) -> Bool {
    let isProduct = shape.taps == 1 && shape.stride == 1
    return shape.groups == 1 && !isProduct
      && min(shape.inputs, shape.outputs) >= shape.outputWidth * (shape.stride == 1 ? 32 : 16)
  }

  init(_ shape: ConvolutionShape) {
    precondition(shape.groups == 1, "products of a convolution in \(shape.groups) groups")
    self.shape = shape
    taps = ConvolutionTap.all(of: shape)
    chunk = max(1, min(shape.batch, 512 / (shape.outputHeight * shape.outputWidth)))
  }

  /// Output pixels of a sample.
  private var pixels: Int { shape.outputHeight * shape.outputWidth }
  /// Scalars of a sample.
  private var imageCount: Int { shape.height * shape.width * shape.inputs }
  private var resultCount: Int { pixels * shape.outputs }
  /// Memory of packed rows of a chunk.
  private var imageBytes: Int { PoolPlan.aligned(chunk * pixels * shape.inputs * 4) }
  private var resultBytes: Int { PoolPlan.aligned(chunk * pixels * shape.outputs * 4) }
  /// Whether packed weights are the plain ones.
  private var isPlain: Bool { shape.taps == 1 }

  var packedBytes: Int? { isPlain ? nil : shape.weightCount * 4 }
  var packedGradientBytes: Int? { packedBytes }
  var packsOnce: Bool { true }

  /// Calls `body` for each output and tap with the first of its `inputs` scalars, `taps` apart in the plain layout and
  /// neighbours in the packed one.
  @inline(__always)
  private func eachRow(_ body: (_ plain: Int, _ packed: Int) -> Void) {
    for output in 0..<shape.outputs {
      for tap in 0..<shape.taps {
        body(output &* shape.inputs &* shape.taps &+ tap, (tap &* shape.outputs &+ output) &* shape.inputs)
      }
    }
  }

  func pack(forGradient: Bool) -> Lowering {
    let (inputs, taps) = (shape.inputs, shape.taps)
    return Lowering { at in
      let (weight, packed) = (at.inputs[0], at.outputs[0])
      return { run in
        eachRow { plainStart, packedStart in
          let (source, target) = (run[weight] + plainStart, run[packed] + packedStart)
          var i = 0
          while i < inputs {
            target[i] = source[i &* taps]
            i &+= 1
          }
        }
      }
    }
  }

  private func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>, accumulate: Bool) {
    let (inputs, taps) = (shape.inputs, shape.taps)
    eachRow { plainStart, packedStart in
      let (source, target) = (packed + packedStart, plain + plainStart)
      var i = 0
      if accumulate {
        while i < inputs {
          target[i &* taps] += source[i]
          i &+= 1
        }
      } else {
        while i < inputs {
          target[i &* taps] = source[i]
          i &+= 1
        }
      }
    }
  }

  /// Calls `body` with the first sample and the number of samples of each chunk.
  @inline(__always)
  private func eachChunk(_ body: (_ first: Int, _ samples: Int) -> Void) {
    var first = 0
    while first < shape.batch {
      body(first, min(chunk, shape.batch - first))
      first += chunk
    }
  }

  func forward(hasBias: Bool, precision: Compute.Precision) -> Lowering {
    let sum = TapSum(taps, transposed: true)
    return Lowering(scratchBytes: imageBytes + resultBytes) { at in
      let (x, weights, y, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let products = scratch.advanced(by: imageBytes)
      let bias = hasBias ? at.inputs[2] : x
      return { run in
        eachChunk { first, samples in
          sum(
            run[x] + first * imageCount, run[weights], into: run[y] + first * resultCount, samples: samples,
            packed: run[scratch], products: run[products])
        }
        if hasBias { Rows.add(run[bias], toRowsOf: run[y], rows: shape.batch * pixels, columns: shape.outputs) }
      }
    }
  }

  func inputGradient() -> Lowering {
    let sum = TapSum(taps.map(\.reversed), transposed: false)
    return Lowering(scratchBytes: resultBytes + imageBytes) { at in
      let (dy, weights, dx, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let products = scratch.advanced(by: resultBytes)
      return { run in
        eachChunk { first, samples in
          sum(
            run[dy] + first * resultCount, run[weights], into: run[dx] + first * imageCount, samples: samples,
            packed: run[scratch], products: run[products])
        }
      }
    }
  }

  func weightGradient(hasBias: Bool, accumulatesWeight: Bool, accumulatesBias: Bool) -> Lowering {
    let product = MatrixProduct(Compute(backend: .onednn))
    let (inputs, outputs) = (shape.inputs, shape.outputs)
    let tiles = ChannelTiles(rows: shape.batch * pixels, channels: outputs)
    let madeStart = imageBytes + resultBytes
    let sumStart = madeStart + (isPlain ? 0 : PoolPlan.aligned(shape.weightCount * 4))
    return Lowering(scratchBytes: sumStart + (hasBias ? tiles.scratchBytes(sums: 1, factors: 0) : 0)) { at in
      let (dy, x, dweight, pixels) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let (gradients, sums) = (pixels.advanced(by: imageBytes), pixels.advanced(by: sumStart))
      let made = isPlain ? dweight : pixels.advanced(by: madeStart)
      let dbias = hasBias ? at.outputs[1] : dweight
      return { run in
        eachChunk { first, samples in
          let (images, results) = (run[x] + first * imageCount, run[dy] + first * resultCount)
          for tap in taps {
            let target = run[made] + tap.index * outputs * inputs
            guard tap.source.count > 0 else {
              if !(isPlain && accumulatesWeight) { target.update(repeating: 0, count: outputs * inputs) }
              continue
            }
            product(
              tap.target.packed(results, samples: samples, scratch: run[gradients]), transposeA: true, lda: outputs,
              tap.source.packed(images, samples: samples, scratch: run[pixels]), ldb: inputs, into: target, ldc: inputs,
              m: outputs, n: inputs, k: samples * tap.source.count,
              beta: first > 0 || isPlain && accumulatesWeight ? 1 : 0)
          }
        }
        if !isPlain { unpack(run[made], into: run[dweight], accumulate: accumulatesWeight) }
        if hasBias {
          tiles.sum(run[dy], into: run[dbias], accumulate: accumulatesBias, sums: run.doubles(sums))
        }
      }
    }
  }
}

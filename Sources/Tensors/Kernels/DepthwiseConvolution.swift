/// Convolutions of one input channel a group, as loops over channels.  Weights are `[taps, outputs]`.
struct DepthwiseConvolution {
  private let shape: ConvolutionShape
  /// Output channels of an input channel.
  private let fold: Int

  init(_ shape: ConvolutionShape) {
    self.shape = shape
    fold = shape.groupOutputs
  }

  /// Calls `body` with every tap that lies inside the image: the tap, the first scalar of the pixel under it and of the
  /// output pixel.
  @inline(__always)
  private func eachTap(_ body: (_ tap: Int, _ input: Int, _ output: Int) -> Void) {
    let (height, width) = (shape.height, shape.width)
    let (outputHeight, outputWidth) = (shape.outputHeight, shape.outputWidth)
    for sample in 0..<shape.batch {
      for oy in 0..<outputHeight {
        for ox in 0..<outputWidth {
          let output = ((sample &* outputHeight &+ oy) &* outputWidth &+ ox) &* shape.outputs
          for ky in 0..<shape.kernelHeight {
            let y = oy &* shape.stride &- shape.padding &+ ky &* shape.dilation
            if y < 0 || y >= height { continue }
            for kx in 0..<shape.kernelWidth {
              let x = ox &* shape.stride &- shape.padding &+ kx &* shape.dilation
              if x < 0 || x >= width { continue }
              body(
                ky &* shape.kernelWidth &+ kx, ((sample &* height &+ y) &* width &+ x) &* shape.inputs, output)
            }
          }
        }
      }
    }
  }

  /// y = x ∗ w.
  @inline(never)
  func forward(_ x: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    let (inputs, outputs, fold) = (shape.inputs, shape.outputs, fold)
    y.update(repeating: 0, count: shape.result.count)
    eachTap { tap, input, output in
      let (x, w, y) = (x + input, weights + tap &* outputs, y + output)
      var c = 0
      if fold == 1 {
        while c < inputs {
          y[c] += x[c] * w[c]
          c &+= 1
        }
      } else {
        while c < inputs {
          for o in c &* fold..<(c &+ 1) &* fold { y[o] += x[c] * w[o] }
          c &+= 1
        }
      }
    }
  }

  /// dx += dy ∗ w, turned around.
  @inline(never)
  func inputGradient(
    _ dy: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, addingTo dx: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs, fold) = (shape.inputs, shape.outputs, fold)
    eachTap { tap, input, output in
      let (dx, w, dy) = (dx + input, weights + tap &* outputs, dy + output)
      var c = 0
      if fold == 1 {
        while c < inputs {
          dx[c] += dy[c] * w[c]
          c &+= 1
        }
      } else {
        while c < inputs {
          for o in c &* fold..<(c &+ 1) &* fold { dx[c] += dy[o] * w[o] }
          c &+= 1
        }
      }
    }
  }

  /// dw = Σ dy x.
  @inline(never)
  func weightGradient(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, into dweights: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs, fold) = (shape.inputs, shape.outputs, fold)
    dweights.update(repeating: 0, count: shape.weightCount)
    eachTap { tap, input, output in
      let (x, dw, dy) = (x + input, dweights + tap &* outputs, dy + output)
      var c = 0
      if fold == 1 {
        while c < inputs {
          dw[c] += dy[c] * x[c]
          c &+= 1
        }
      } else {
        while c < inputs {
          for o in c &* fold..<(c &+ 1) &* fold { dw[o] += dy[o] * x[c] }
          c &+= 1
        }
      }
    }
  }
}

/// Images of another size, each pixel a copy of one of the image.
struct NearestResize: Operation {
  let name = "nearest resize"
  let image: Shape
  let height: Int
  let width: Int

  var result: Shape { [image[0], height, width, image[3]] }

  /// Calls `body` with the first scalar of each pixel of the result, and that of the pixel it copies.
  @inline(__always)
  func eachPixel(_ body: (_ to: Int, _ from: Int) -> Void) {
    let (rows, columns, channels) = (image[1], image[2], image[3])
    var to = 0
    for sample in 0..<image[0] {
      for y in 0..<height {
        let row = (sample &* rows &+ y &* rows / height) &* columns
        for x in 0..<width {
          body(to, (row &+ x &* columns / width) &* channels)
          to &+= channels
        }
      }
    }
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let channels = image[3]
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in
        let (pixels, made) = (run[x], run[y])
        eachPixel { to, from in (made + to).update(from: pixels + from, count: channels) }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[0]) else { return }
    let dx = recorder.append(NearestResizeGradient(forward: self), [gradient], [.new(image)])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = the sum of dy over the copies of each pixel.
struct NearestResizeGradient: Operation {
  let name = "nearest resize gradient"
  let forward: NearestResize

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { forward.result.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (count, channels) = (forward.image.count, forward.image[3])
    return Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in
        let (slopes, sums) = (run[dy], run[dx])
        sums.update(repeating: 0, count: count)
        forward.eachPixel { from, to in
          let (slope, sum) = (slopes + from, sums + to)
          var i = 0
          while i < channels {
            sum[i] += slope[i]
            i &+= 1
          }
        }
      }
    }
  }
}

extension Recorder {
  /// Images of another size, `[batch, h, w, channels]` to `[batch, height, width, channels]`: pixel (y, x) is pixel
  /// (⌊y h / height⌋, ⌊x w / width⌋), as PyTorch's `interpolate(mode="nearest")`.
  public func nearestResize(_ x: Value, height: Int, width: Int) -> Value {
    let image = shape(x)
    precondition(
      image.rank == 4 && image.count > 0 && height > 0 && width > 0, "resizing \(image) to \(height)×\(width)")
    if image[1] == height, image[2] == width { return x }
    let operation = NearestResize(image: image, height: height, width: width)
    return append(operation, [x], [.new(operation.result)])[0]
  }
}

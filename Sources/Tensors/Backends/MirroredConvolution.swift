// Which of oneDNN's kernels convolve a shape fastest, where its own choice is another.
extension ConvolutionShape {
  /// Whether small matrix products, which oneDNN takes by preference, are slower than its direct convolution: with few
  /// channels, and with strides between single pixels, which they copy together first.
  var isSlowInBatches: Bool {
    groups == 1 && dilation == 1 && (inputs < 16 || (stride == 1 ? taps > 1 && outputs <= 32 : taps == 1))
  }

  /// The convolution whose input gradient this one is: from outputs to inputs, with every kernel turned by half a circle.
  var mirrored: ConvolutionShape {
    ConvolutionShape(
      batch: batch, height: outputHeight, width: outputWidth, inputs: outputs, outputs: inputs,
      kernelHeight: kernelHeight, kernelWidth: kernelWidth, stride: 1, padding: kernelHeight - 1 - padding, dilation: 1,
      groups: 1)
  }

  /// `mirrored` where the kernel of input gradients is the fastest for a forward pass in Float32: it divides rows of pixels
  /// that are a little longer than the registers more evenly.  Deviates from oneDNN's result in the order of sums alone.
  var fasterMirrored: ConvolutionShape? {
    guard groups == 1, dilation == 1, stride == 1, kernelHeight == kernelWidth, taps > 1, padding < kernelHeight,
      outputs == 16, inputs % 16 == 0, (17...32).contains(outputWidth)
    else { return nil }
    return mirrored
  }

  /// Weights `[outputs, inputs, kernel, kernel]` as those of `mirrored`: `[inputs, outputs, kernel, kernel]`, turned.
  func mirror(_ weights: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
    for output in 0..<outputs {
      for input in 0..<inputs {
        let from = weights + (output * inputs + input) * taps
        let to = target + (input * outputs + output) * taps
        for tap in 0..<taps { to[taps - 1 - tap] = from[tap] }
      }
    }
  }
}

/// The extents of a convolution: images `[batch, height, width, inputs]`, weights
/// `[outputs, inputs/groups, kernel, kernel]`.
struct ConvolutionShape: Hashable, Sendable {
  let batch: Int
  let height: Int
  let width: Int
  let inputs: Int
  let outputs: Int
  let kernelHeight: Int
  let kernelWidth: Int
  let stride: Int
  let padding: Int
  let dilation: Int
  let groups: Int

  private func window(_ kernel: Int) -> Window {
    Window(kernel: kernel, stride: stride, padding: padding, dilation: dilation)
  }
  var vertical: Window { window(kernelHeight) }
  var horizontal: Window { window(kernelWidth) }
  var outputHeight: Int { vertical.positions(along: height) }
  var outputWidth: Int { horizontal.positions(along: width) }
  /// Input channels of a group.
  var groupInputs: Int { inputs / groups }
  /// Output channels of a group.
  var groupOutputs: Int { outputs / groups }
  /// Pixels under the window.
  var taps: Int { kernelHeight * kernelWidth }
  /// Scalars of the weights.
  var weightCount: Int { outputs * groupInputs * taps }
  /// Every output pixel of every channel reads all taps of its group: two operations each.
  var flops: Int { 2 * batch * outputHeight * outputWidth * weightCount }

  var image: Shape { [batch, height, width, inputs] }
  var result: Shape { [batch, outputHeight, outputWidth, outputs] }
  var weight: Shape { [outputs, groupInputs, kernelHeight, kernelWidth] }
}

/// What a library must do to convolve: one value a convolution, shared by its operations.
protocol ConvolutionLibrary: Sendable {
  /// What it multiplies; sums, results and the weights' gradient are Float32.
  var precision: Compute.Precision { get }
  /// Memory of the weights in the layout of the forward pass; nil if that is the plain one.
  var packedBytes: Int? { get }
  /// The same for the gradient of the input.
  var packedGradientBytes: Int? { get }
  /// Whether both passes read the same layout.
  var packsOnce: Bool { get }
  /// Weights to packed weights, for the gradient of the input if `forGradient`.
  func pack(forGradient: Bool) -> Lowering
  /// Image, weights as packed, and a bias if there is one, to a result rounded to `precision`.
  func forward(hasBias: Bool, precision: Compute.Precision) -> Lowering
  /// Gradient of the result, weights as packed, to that of the image.
  func inputGradient() -> Lowering
  /// Gradient of the result and the image, to that of the weights and, if there is one, of the bias.
  func weightGradient(hasBias: Bool, accumulatesWeight: Bool, accumulatesBias: Bool) -> Lowering
}

/// y = x ∗ w + b over channels-last images; inputs are the image, the packed weights, a bias if there is one, and last the
/// weights as they are, to which the gradient goes.
struct Convolution: Operation {
  let name = "convolution"
  let shape: ConvolutionShape
  let hasBias: Bool
  let library: any ConvolutionLibrary

  func rounds(_ output: Int, beside: Bool) -> Bool { library.precision == .bfloat16 && !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.flops }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    library.forward(hasBias: hasBias, precision: outputs[0].type == .bfloat16 ? .bfloat16 : .float32)
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let unrounded = recorder.gradient(of: call.outputs[0]) else { return }
    let gradient = library.precision == .bfloat16 ? recorder.factor(unrounded) : unrounded
    let (x, packed, weight) = (recorder.original(of: call.inputs[0]), call.inputs[1], call.inputs.last!)
    // One primitive makes both gradients.
    let bias = hasBias ? call.inputs[2] : nil
    if recorder.needsGradient(weight) || bias.map(recorder.needsGradient) == true {
      let slot = recorder.gradientSlot(of: weight)
      let biasSlot = bias.map(recorder.gradientSlot)
      recorder.append(
        ConvolutionWeightGradient(
          shape: shape, hasBias: hasBias, accumulatesWeight: slot.accumulates,
          accumulatesBias: biasSlot?.accumulates ?? false, library: library),
        [gradient, call.inputs[0]], [slot.output] + (biasSlot.map { [$0.output] } ?? []))
      recorder.filled(slot)
      if let biasSlot { recorder.filled(biasSlot) }
    }
    if recorder.needsGradient(x) {
      let feedback = recorder.feedback(for: weight)
      let weights =
        library.packsOnce && feedback == nil
        ? packed : recorder.pack(feedback ?? weight, library, forGradient: true)
      let dx = recorder.append(
        ConvolutionInputGradient(shape: shape, library: library), [gradient, weights], [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
  }
}

/// dx: dy spread back over the pixels that each output saw.
struct ConvolutionInputGradient: Operation {
  let name = "convolution input gradient"
  let shape: ConvolutionShape
  let library: any ConvolutionLibrary

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.flops }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    library.inputGradient()
  }
}

/// dw and db: sums over images and pixels.
struct ConvolutionWeightGradient: Operation {
  let name = "convolution weight gradient"
  let shape: ConvolutionShape
  let hasBias: Bool
  let accumulatesWeight: Bool
  let accumulatesBias: Bool
  let library: any ConvolutionLibrary

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { shape.flops }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    library.weightGradient(
      hasBias: hasBias, accumulatesWeight: accumulatesWeight, accumulatesBias: accumulatesBias)
  }
}

/// Weights in the layout that a library likes; depends on parameters alone, so it runs once an update.
struct PackWeights: Operation {
  let name = "pack weights"
  let library: any ConvolutionLibrary
  let forGradient: Bool

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    library.pack(forGradient: forGradient)
  }
}

extension Recorder {
  /// A convolution with zero padding.
  ///
  /// `x` is `[batch, height, width, inputs]`, `weight` is `[outputs, inputs/groups, kernel height, kernel width]`, `bias`
  /// is `[outputs]`; the result is `[batch, …, …, outputs]` with `Window.positions(along:)` pixels an edge.  Cost:
  /// `2 · weights · output pixels` operations, as much again for each gradient.
  public func convolution(
    _ x: Value, _ weight: Value, bias: Value? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    groups: Int = 1
  ) -> Value {
    convolution(
      x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups, byTaps: nil)
  }

  /// The same with oneDNN's convolution or products of taps, or what is faster where `byTaps` is nil.
  package func convolution(
    _ x: Value, _ weight: Value, bias: Value?, stride: Int, padding: Int, dilation: Int, groups: Int, byTaps: Bool?
  ) -> Value {
    let (image, weights) = (shape(x), shape(weight))
    precondition(
      image.rank == 4 && weights.rank == 4 && groups > 0 && stride > 0 && padding >= 0 && dilation > 0
        && weights[1] * groups == image[3] && weights[0] % groups == 0,
      "convolution of \(image) with weights \(weights), stride \(stride), padding \(padding), dilation \(dilation), "
        + "\(groups) groups")
    precondition(bias == nil || shape(bias!).count == weights[0], "bias of a convolution with weights \(weights)")
    let shape = ConvolutionShape(
      batch: image[0], height: image[1], width: image[2], inputs: image[3], outputs: weights[0],
      kernelHeight: weights[2], kernelWidth: weights[3], stride: stride, padding: padding, dilation: dilation,
      groups: groups)
    precondition(
      shape.outputHeight > 0 && shape.outputWidth > 0,
      "a kernel of \(weights) on images of \(image) with padding \(padding)")
    let library: any ConvolutionLibrary =
      switch compute.backend {
      case .onednn where compute.precision == .float32 && (byTaps ?? TapConvolution.isFaster(shape)):
        TapConvolution(shape)
      case .onednn:
        OneDNNConvolution(
          shape, hasBias: bias != nil, needsInputGradient: mode == .training && needsGradient(x),
          precision: compute.precision)
      case .openblas: ColumnConvolution(shape)
      }
    let packed = pack(weight, library, forGradient: false)
    return append(
      Convolution(shape: shape, hasBias: bias != nil, library: library),
      [library.precision == .bfloat16 ? factor(x) : x, packed] + (bias.map { [$0] } ?? []) + [weight],
      [.new(shape.result)])[0]
  }

  fileprivate func pack(_ weight: Value, _ library: any ConvolutionLibrary, forGradient: Bool) -> Value {
    guard let bytes = forGradient ? library.packedGradientBytes : library.packedBytes else { return weight }
    return append(
      PackWeights(library: library, forGradient: forGradient), [weight], [.opaque(shape(weight), bytes: bytes)])[0]
  }
}

import COneDNN

/// Convolutions by oneDNN: images channels-last, weights in the layout that oneDNN likes best.
///
/// In bfloat16, image, weights and the gradient of the result are rounded; results and gradients of both are Float32.
/// Where a group has an odd number of channels it stays with Float32: oneDNN multiplies pairs, and takes the scalar after
/// the last channel times zero, which is not zero if that is not a number.
final class OneDNNConvolution: ConvolutionLibrary {
  let precision: Compute.Precision
  private let shape: ConvolutionShape
  /// What the gradients are told of the forward pass.
  private let hint: Primitive
  private let forwardPrimitive: Primitive
  /// Whether the forward pass is the input gradient of the mirrored convolution.
  private let isMirrored: Bool
  private let forwardWeights: MemoryFormat
  private let inputPrimitive: Primitive?
  private let inputWeights: MemoryFormat?
  private let plainWeights: MemoryFormat
  private let images: Formats
  private let results: Formats
  private let biasFormat: MemoryFormat

  /// How a value that is multiplied and one that is made lie in memory.
  private struct Formats {
    let factor: MemoryFormat
    let made: MemoryFormat

    init(_ dimensions: [Int], _ precision: Compute.Precision) {
      factor = MemoryFormat(dimensions, dnnl_nhwc, precision)
      made = MemoryFormat(dimensions, dnnl_nhwc)
    }
  }

  /// Prepares the gradient of the input only if `needsInputGradient`: making a primitive takes about a millisecond.
  init(_ shape: ConvolutionShape, hasBias: Bool, needsInputGradient: Bool, precision: Compute.Precision) {
    let precision = shape.groupInputs % 2 == 0 && shape.groupOutputs % 2 == 0 ? precision : .float32
    self.shape = shape
    self.precision = precision
    images = Formats([shape.batch, shape.inputs, shape.height, shape.width], precision)
    results = Formats([shape.batch, shape.outputs, shape.outputHeight, shape.outputWidth], precision)
    biasFormat = MemoryFormat([shape.outputs], dnnl_a)
    plainWeights = OneDNNConvolution.weights(shape, dnnl_oihw, dnnl_goihw)
    let weights = OneDNNConvolution.weights(shape, dnnl_format_tag_any, dnnl_format_tag_any, precision)
    hint = OneDNNConvolution.forward(
      shape, images.factor, weights, results.made, hasBias ? biasFormat : nil)
    let mirrored = precision == .float32 && !hasBias ? shape.fasterMirrored : nil
    isMirrored = mirrored != nil
    if let mirrored {
      let weights = OneDNNConvolution.weights(mirrored, dnnl_format_tag_any, dnnl_format_tag_any)
      let hint = OneDNNConvolution.forward(mirrored, results.made, weights, images.factor, nil)
      forwardPrimitive = OneDNNConvolution.inputGradient(mirrored, results.made, weights, images.factor, hint)
    } else {
      forwardPrimitive = hint
    }
    forwardWeights = forwardPrimitive.format(dnnl_query_weights_md)
    inputPrimitive =
      needsInputGradient
      ? OneDNNConvolution.inputGradient(shape, images.made, weights, results.factor, hint) : nil
    inputWeights = inputPrimitive?.format(dnnl_query_weights_md)
  }

  private static func weights(
    _ shape: ConvolutionShape, _ tag: dnnl_format_tag_t, _ groupedTag: dnnl_format_tag_t,
    _ precision: Compute.Precision = .float32
  ) -> MemoryFormat {
    shape.groups == 1
      ? MemoryFormat(shape.weight.dimensions, tag, precision)
      : MemoryFormat(
        [shape.groups, shape.groupOutputs, shape.groupInputs, shape.kernelHeight, shape.kernelWidth], groupedTag,
        precision)
  }

  private struct Steps {
    let strides: [Int64]
    let dilations: [Int64]
    let padding: [Int64]
    init(_ shape: ConvolutionShape) {
      strides = [Int64](repeating: Int64(shape.stride), count: 2)
      dilations = [Int64](repeating: Int64(shape.dilation - 1), count: 2)
      padding = [Int64](repeating: Int64(shape.padding), count: 2)
    }
  }

  private static func forward(
    _ shape: ConvolutionShape, _ image: MemoryFormat, _ weights: MemoryFormat, _ result: MemoryFormat,
    _ bias: MemoryFormat?
  ) -> Primitive {
    var descriptor = dnnl_convolution_desc_t()
    var (image, weights, result) = (image.description, weights.description, result.description)
    let steps = Steps(shape)
    func describe(_ bias: UnsafePointer<dnnl_memory_desc_t>?) -> dnnl_status_t {
      dnnl_dilated_convolution_forward_desc_init(
        &descriptor, dnnl_forward_training, dnnl_convolution_direct, &image, &weights, bias, &result, steps.strides,
        steps.dilations, steps.padding, steps.padding)
    }
    let status = bias.map { withUnsafePointer(to: $0.description) { describe($0) } } ?? describe(nil)
    OneDNN.expect(status, "a convolution \(shape)")
    return .make(
      descriptor, preferred: shape.isSlowInBatches ? "jit:avx512_core" : nil, "a convolution \(shape)")
  }

  private static func inputGradient(
    _ shape: ConvolutionShape, _ image: MemoryFormat, _ weights: MemoryFormat, _ result: MemoryFormat,
    _ forward: Primitive
  ) -> Primitive {
    var descriptor = dnnl_convolution_desc_t()
    var (image, weights, result) = (image.description, weights.description, result.description)
    let steps = Steps(shape)
    OneDNN.expect(
      dnnl_dilated_convolution_backward_data_desc_init(
        &descriptor, dnnl_convolution_direct, &image, &weights, &result, steps.strides, steps.dilations, steps.padding,
        steps.padding), "the input gradient of a convolution \(shape)")
    return .make(descriptor, hint: forward, "the input gradient of a convolution \(shape)")
  }

  /// Without the bias, whose gradient oneDNN sums in one long chain of Float32: seven digits become five.
  private func weightGradient() -> Primitive {
    var descriptor = dnnl_convolution_desc_t()
    var (image, result) = (images.factor.description, results.factor.description)
    var weights = OneDNNConvolution.weights(shape, dnnl_format_tag_any, dnnl_format_tag_any).description
    let steps = Steps(shape)
    let status = dnnl_dilated_convolution_backward_weights_desc_init(
      &descriptor, dnnl_convolution_direct, &image, &weights, nil, &result, steps.strides, steps.dilations,
      steps.padding, steps.padding)
    OneDNN.expect(status, "the weight gradient of a convolution \(shape)")
    return .make(descriptor, hint: hint, "the weight gradient of a convolution \(shape)")
  }

  var packedBytes: Int? { !isMirrored && forwardWeights.isSame(as: plainWeights) ? nil : forwardWeights.bytes }
  var packedGradientBytes: Int? {
    inputWeights.flatMap { $0.isSame(as: plainWeights) ? nil : $0.bytes }
  }
  var packsOnce: Bool { inputWeights.map { !isMirrored && forwardWeights.isSame(as: $0) } ?? true }

  func pack(forGradient: Bool) -> Lowering {
    let (plain, packed) = (plainWeights, forGradient ? inputWeights ?? forwardWeights : forwardWeights)
    let mirrors = isMirrored && !forGradient
    let source = mirrors ? OneDNNConvolution.weights(shape.mirrored, dnnl_oihw, dnnl_goihw) : plain
    let primitive = Primitive.reorder(from: source, to: packed)
    let mirrorStart = PoolPlan.aligned(primitive.scratchBytes)
    let shape = shape
    return Lowering(scratchBytes: mirrorStart + (mirrors ? source.bytes : 0)) { at in
      let call = PrimitiveCall(primitive, [(DNNL_ARG_SRC_0, source), (DNNL_ARG_DST_0, packed)])
      let (weights, target, scratch) = (at.inputs[0], at.outputs[0], at.scratch)
      let mirrored = mirrors ? scratch.advanced(by: mirrorStart) : weights
      return { run in
        if mirrors { shape.mirror(run[weights], into: run[mirrored]) }
        call.place(0, run.bytes(mirrored))
        call.place(1, run.bytes(target))
        call.execute(scratch: run.bytes(scratch))
      }
    }
  }

  func forward(hasBias: Bool, precision: Compute.Precision) -> Lowering {
    let isRounded = precision == .bfloat16
    let primitive =
      isRounded
      ? OneDNNConvolution.forward(
        shape, images.factor, forwardWeights, results.factor, hasBias ? biasFormat : nil) : forwardPrimitive
    let formats = (images.factor, forwardWeights, isRounded ? results.factor : results.made, biasFormat)
    let (source, target) = isMirrored ? (DNNL_ARG_DIFF_DST_0, DNNL_ARG_DIFF_SRC_0) : (DNNL_ARG_SRC_0, DNNL_ARG_DST_0)
    return Lowering(scratchBytes: primitive.scratchBytes) { at in
      let call = PrimitiveCall(
        primitive,
        [(source, formats.0), (DNNL_ARG_WEIGHTS_0, formats.1), (target, formats.2)]
          + (hasBias ? [(DNNL_ARG_BIAS, formats.3)] : []))
      let (x, weights, y, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let bias = hasBias ? at.inputs[2] : x
      return { run in
        call.place(0, run.bytes(x))
        call.place(1, run.bytes(weights))
        call.place(2, run.bytes(y))
        if hasBias { call.place(3, run.bytes(bias)) }
        call.execute(scratch: run.bytes(scratch))
      }
    }
  }

  func inputGradient() -> Lowering {
    guard let inputPrimitive, let inputWeights else {
      preconditionFailure("the input gradient of a convolution \(shape) made without one")
    }
    let (primitive, formats) = (inputPrimitive, (results.factor, inputWeights, images.made))
    return Lowering(scratchBytes: primitive.scratchBytes) { at in
      let call = PrimitiveCall(
        primitive,
        [
          (DNNL_ARG_DIFF_DST_0, formats.0), (DNNL_ARG_WEIGHTS_0, formats.1), (DNNL_ARG_DIFF_SRC_0, formats.2),
        ])
      let (dy, weights, dx, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      return { run in
        call.place(0, run.bytes(dy))
        call.place(1, run.bytes(weights))
        call.place(2, run.bytes(dx))
        call.execute(scratch: run.bytes(scratch))
      }
    }
  }

  func weightGradient(hasBias: Bool, accumulatesWeight: Bool, accumulatesBias: Bool) -> Lowering {
    let primitive = weightGradient()
    let (plain, packed) = (plainWeights, primitive.format(dnnl_query_diff_weights_md))
    let (image, result) = (images.factor, results.factor)
    let isPlain = packed.isSame(as: plain)
    let reorder = isPlain ? nil : Primitive.reorder(from: packed, to: plain)
    let (count, isRounded) = (shape.weightCount, precision == .bfloat16)
    let tiles = ChannelTiles(rows: shape.batch * shape.outputHeight * shape.outputWidth, channels: shape.outputs)

    // Scratch: what oneDNN works with, the gradient as it makes it, a plain copy if that is added to another, sums.
    let packedStart = PoolPlan.aligned(max(primitive.scratchBytes, reorder?.scratchBytes ?? 0))
    let plainStart = packedStart + (isPlain ? 0 : PoolPlan.aligned(packed.bytes))
    let biasStart = plainStart + (accumulatesWeight ? PoolPlan.aligned(plain.bytes) : 0)
    let bytes = biasStart + (hasBias ? tiles.scratchBytes(sums: 1, factors: 0) : 0)
    return Lowering(scratchBytes: bytes) { at in
      let call = PrimitiveCall(
        primitive,
        [(DNNL_ARG_DIFF_DST_0, result), (DNNL_ARG_SRC_0, image), (DNNL_ARG_DIFF_WEIGHTS_0, packed)])
      let unpack = reorder.map { PrimitiveCall($0, [(DNNL_ARG_SRC_0, packed), (DNNL_ARG_DST_0, plain)]) }
      let (dy, x, dweight, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let dbias = hasBias ? at.outputs[1] : dweight
      let made = accumulatesWeight ? scratch.advanced(by: plainStart) : dweight
      let raw = isPlain ? made : scratch.advanced(by: packedStart)
      let sums = scratch.advanced(by: biasStart)
      return { run in
        call.place(0, run.bytes(dy))
        call.place(1, run.bytes(x))
        call.place(2, run.bytes(raw))
        call.execute(scratch: run.bytes(scratch))
        if let unpack {
          unpack.place(0, run.bytes(raw))
          unpack.place(1, run.bytes(made))
          unpack.execute(scratch: run.bytes(scratch))
        }
        if accumulatesWeight { Elementwise.add(run[dweight], run[made], run[dweight], count) }
        guard hasBias else { return }
        if isRounded {
          tiles.sum(run.halves(dy), into: run[dbias], accumulate: accumulatesBias, sums: run.doubles(sums))
        } else {
          tiles.sum(run[dy], into: run[dbias], accumulate: accumulatesBias, sums: run.doubles(sums))
        }
      }
    }
  }
}

extension Recorder {
  /// Replaces chains of recorded operations by operations that do the same in fewer passes over memory, bit by bit:
  /// batch normalisation with what is added to it and relu after it, and max-pooling with relu before or after it.
  ///
  /// To be called after the forward pass and all `result` calls, and before `differentiate`: an intermediate value that
  /// nothing else reads is gone afterwards.
  public func fuse() { fuse(from: 0, keeping: []) }

  /// The same for the instructions from `first` on, of whose results some are read later.
  func fuse(from first: Int, keeping kept: [Value]) {
    var uses: [Value: Int] = [:]
    for call in instructions[first...] { for input in call.inputs { uses[input, default: 0] += 1 } }
    for value in results + kept { uses[value, default: 0] += 1 }
    var fused: [Instruction?] = instructions
    var makers: [Value: Int] = [:]
    for (index, call) in instructions.enumerated().dropFirst(first) {
      for input in call.inputs {
        guard uses[input] == 1, let maker = makers[input], let first = fused[maker], first.outputs[0] == input,
          let both = Recorder.fusion(of: first, into: call)
        else { continue }
        fused[maker] = nil
        fused[index] = both
        break
      }
      for output in fused[index]?.outputs ?? [] { makers[output] = index }
    }
    rewrite(fused.compactMap { $0 })
  }

  /// One instruction for two, of which the second alone reads the first output of the first; nil if there is none.
  private static func fusion(of first: Instruction, into second: Instruction) -> Instruction? {
    switch (first.operation, second.operation) {
    case (let norm as BatchNorm, is Relu) where !norm.options.isRectified:
      return first.with(
        BatchNorm(options: norm.options.with(rectified: true), movesStates: norm.movesStates),
        inputs: first.inputs, outputs: second.outputs + first.outputs.dropFirst())
    case (let norm as BatchNorm, is Add) where !norm.options.isRectified && !norm.options.hasResidual:
      let residual = second.inputs[second.inputs[0] == first.outputs[0] ? 1 : 0]
      var inputs = first.inputs
      inputs.insert(residual, at: norm.options.residualIndex)
      return first.with(
        BatchNorm(options: norm.options.with(residual: true), movesStates: norm.movesStates),
        inputs: inputs, outputs: second.outputs + first.outputs.dropFirst())
    case (is Relu, let pool as MaxPool):
      return second.with(
        MaxPool(shape: pool.shape, isRectified: true), inputs: first.inputs, outputs: second.outputs)
    case (let pool as MaxPool, is Relu):
      return first.with(
        MaxPool(shape: pool.shape, isRectified: true), inputs: first.inputs,
        outputs: second.outputs + first.outputs.dropFirst())
    default: return nil
    }
  }
}

extension BatchNormOptions {
  /// The same with relu after it or something added.
  fileprivate func with(rectified: Bool = false, residual: Bool = false) -> BatchNormOptions {
    BatchNormOptions(
      rows: rows, channels: channels, epsilon: epsilon, isAffine: isAffine, hasResidual: residual || hasResidual,
      isRectified: rectified || isRectified, statistics: statistics)
  }
}

extension Recorder {
  /// Instructions whose results are rounded afterwards write them rounded, where they can; the unrounded result goes where
  /// nothing else reads it.
  ///
  /// The last of all passes, because gradients read values too.
  static func fusingRoundings(_ instructions: [Instruction], results: [Value]) -> [Instruction] {
    var uses: [Value: Int] = [:]
    for call in instructions { for input in call.inputs { uses[input, default: 0] += 1 } }
    for value in results { uses[value, default: 0] += 1 }
    var fused: [Instruction?] = instructions
    var makers: [Value: Int] = [:]
    for (index, call) in instructions.enumerated() {
      if call.operation is Rounding, let maker = makers[call.inputs[0]], let first = fused[maker],
        let output = first.outputs.firstIndex(of: call.inputs[0])
      {
        let isOnlyUse = uses[call.inputs[0]] == 1
        if first.operation.rounds(output, beside: !isOnlyUse) {
          var outputs = first.outputs
          if isOnlyUse { outputs[output] = call.outputs[0] } else { outputs.append(call.outputs[0]) }
          fused[maker] = Instruction(
            operation: first.operation, inputs: first.inputs, outputs: outputs, scope: first.scope)
          fused[index] = nil
        }
      }
      for output in call.outputs { makers[output] = index }
    }
    return fused.compactMap { $0 }
  }
}

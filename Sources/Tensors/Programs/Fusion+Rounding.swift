extension Recorder {
  /// What is left to be done to a program whose gradients are recorded: rounds to bfloat16 where that saves memory traffic.
  ///
  /// Where a rounding can be done by the maker of a value, it is; the unrounded value goes if nothing else reads it.  The
  /// result of a convolution is stored in bfloat16 if all its readers can take it.
  func roundedEarly(_ instructions: [Instruction]) -> [Instruction] {
    guard compute.precision == .bfloat16 else { return instructions }
    var readers: [Value: [(operation: any Operation, input: Int)]] = [:]
    for call in instructions {
      for (index, input) in call.inputs.enumerated() { readers[input, default: []].append((call.operation, index)) }
    }
    let kept = Set(results)
    var rewritten: [Instruction?] = instructions
    var makers: [Value: Int] = [:]
    // A value that is made again from this one is rounded again too, later.
    var rounded: Set<Value> = []
    for (index, call) in instructions.enumerated() {
      if call.operation is Rounding, rounded.insert(call.inputs[0]).inserted, let maker = makers[call.inputs[0]],
        let first = rewritten[maker],
        let output = first.outputs.firstIndex(of: call.inputs[0])
      {
        let isOnlyUse = readers[call.inputs[0]]?.count == 1 && !kept.contains(call.inputs[0])
        if first.operation.rounds(output, beside: !isOnlyUse) {
          var outputs = first.outputs
          if isOnlyUse { outputs[output] = call.outputs[0] } else { outputs.append(call.outputs[0]) }
          rewritten[maker] = first.with(outputs: outputs)
          rewritten[index] = nil
        }
      }
      for (position, output) in call.outputs.enumerated() {
        makers[output] = index
        let isRoundable = call.operation is Convolution && call.operation.rounds(position, beside: false)
        if isRoundable, !kept.contains(output), let all = readers[output],
          all.allSatisfy({ $0.operation.readsRounded($0.input) })
        {
          store(output, as: .bfloat16)
        }
      }
    }
    return rewritten.compactMap { $0 }
  }
}

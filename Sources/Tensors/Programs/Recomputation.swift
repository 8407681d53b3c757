/// Makes intermediate values of layers again before their gradients, so that they need no memory in between (Chen et al.
/// 2016).
///
/// Outermost layers are taken together in *segments* of equal length.  What a segment hands to others is kept; what only
/// its own gradients read is made again, from the same inputs by the same instructions, before the first gradient that
/// asks for it.  The last segment keeps everything, because its gradients come at once.
struct Recomputation {
  private let recorder: Recorder
  private let instructions: [Instruction]
  /// Layers in order.
  private let layers: [Int]
  /// The instruction that makes a value, for values of layers that differ from batch to batch.
  private var makers: [Value: Int] = [:]
  /// What gradients read of these.
  private var wanted: Set<Value> = []

  /// Nil where there is nothing to be made again.
  init?(_ recorder: Recorder, _ instructions: [Instruction]) {
    guard instructions.contains(where: \.isGradient) else { return nil }
    self.recorder = recorder
    self.instructions = instructions
    let isPrepared = recorder.hoistable(instructions)
    var order: [Int] = []
    for (index, call) in instructions.enumerated() where !isPrepared[index] {
      guard let layer = call.layer else { continue }
      if order.last != layer { order.append(layer) }
      for output in call.outputs {
        let root = recorder.root(output).value
        if case .planned = recorder[root].residence, makers[root] == nil { makers[root] = index }
      }
    }
    guard Set(order).count > 1 else { return nil }
    layers = Array(Set(order)).sorted()
    for call in instructions where call.isGradient {
      wanted.formUnion(call.inputs.map { recorder.root($0).value }.filter { makers[$0] != nil })
    }
  }

  /// Layers cut into segments of equal length, and the values that are kept.
  private struct Cut {
    let segments: [Int: Int]
    let last: Int
    var kept: Set<Value> = []
  }

  private func cut(_ length: Int) -> Cut {
    let segments = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1, $0 / length) })
    var cut = Cut(segments: segments, last: (layers.count - 1) / length)
    for call in instructions where !call.isGradient {
      let reader = call.layer.flatMap { segments[$0] }
      for input in call.inputs {
        let root = recorder.root(input).value
        if let maker = makers[root], segment(maker, cut) != reader { cut.kept.insert(root) }
      }
    }
    for value in recorder.results { cut.kept.insert(recorder.root(value).value) }
    // Shards meet once.
    for call in instructions where call.operation.meeting != nil {
      cut.kept.formUnion(call.outputs.map { recorder.root($0).value })
    }
    // What is made together stays together, or an instruction would run again for a small part of its results.
    for call in instructions where call.outputs.contains(where: { cut.kept.contains(recorder.root($0).value) }) {
      cut.kept.formUnion(call.outputs.map { recorder.root($0).value })
    }
    return cut
  }

  private func segment(_ instruction: Int, _ cut: Cut) -> Int? {
    instructions[instruction].layer.flatMap { cut.segments[$0] }
  }

  /// About the memory that a cut needs: what is kept, and the largest segment.
  private func bytes(_ cut: Cut) -> Int {
    var kept = 0
    var inner = [Int](repeating: 0, count: cut.last + 1)
    for (value, maker) in makers where wanted.contains(value) || cut.kept.contains(value) {
      if cut.kept.contains(value) {
        kept += recorder[value].bytes
      } else if let segment = segment(maker, cut) {
        inner[segment] += recorder[value].bytes
      }
    }
    return kept + (inner.max() ?? 0)
  }

  /// The program with the cut that needs least memory.
  func rewritten() -> [Instruction] {
    let cuts = (1...layers.count).map(cut)
    let best = cuts.min { bytes($0) < bytes($1) }!
    var result: [Instruction] = []
    var copies: [Value: Value] = [:]
    var done: Set<Int> = [best.last]
    for call in instructions {
      guard call.isGradient else {
        result.append(call)
        continue
      }
      for input in call.inputs {
        let root = recorder.root(input).value
        guard !best.kept.contains(root), let maker = makers[root], let segment = segment(maker, best),
          done.insert(segment).inserted
        else { continue }
        result += again(segment, best, &copies)
      }
      result.append(call.with(inputs: call.inputs.map { copies[$0] ?? $0 }))
    }
    return result
  }

  /// The instructions of a segment that gradients need, on values of their own.
  private func again(_ segment: Int, _ cut: Cut, _ copies: inout [Value: Value]) -> [Instruction] {
    var needed = wanted.subtracting(cut.kept)
    var chosen: [Instruction] = []
    for (index, call) in instructions.enumerated().reversed() where !call.isGradient {
      guard self.segment(index, cut) == segment,
        call.outputs.contains(where: { needed.contains(recorder.root($0).value) })
      else { continue }
      chosen.append(call)
      needed.formUnion(
        call.inputs.map { recorder.root($0).value }.filter { makers[$0] != nil && !cut.kept.contains($0) })
    }
    return chosen.reversed().map { call in
      let inputs = call.inputs.map { copies[$0] ?? $0 }
      for output in call.outputs {
        // Statistics and sums were reported the first time: now they go where nobody reads them.
        copies[output] = recorder.copy(of: output, parent: call.operation.isView ? inputs[0] : nil)
      }
      return call.with(inputs: inputs, outputs: call.outputs.map { copies[$0]! })
    }
  }
}

extension Recorder {
  /// The instructions with those that make values again; nil where `Compute.recomputes` does not ask for it, or there are
  /// none.
  func recomputing(_ instructions: [Instruction]) -> [Instruction]? {
    guard compute.recomputes else { return nil }
    return Recomputation(self, instructions)?.rewritten()
  }
}

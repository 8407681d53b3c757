/// y[r] = weight[index[r]]; an index outside the table gives a row of NaN.
struct Embedding: Operation {
  let name = "embedding"
  let rows: Int
  let entries: Int
  let width: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (indices, weight, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        let index = run.integers(indices)
        let (table, target) = (run[weight], run[y])
        for r in 0..<rows {
          let entry = Int(UInt32(bitPattern: index[r]))
          if entry < entries {
            (target + r &* width).update(from: table + entry &* width, count: width)
          } else {
            (target + r &* width).update(repeating: .nan, count: width)
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]), recorder.needsGradient(call.inputs[1]) else { return }
    let slot = recorder.gradientSlot(of: call.inputs[1])
    recorder.append(
      EmbeddingGradient(rows: rows, entries: entries, width: width, accumulates: slot.accumulates),
      [call.inputs[0], gradient], [slot.output])
    recorder.filled(slot)
  }
}

/// dweight[index[r]] += dy[r], in order of rows.
struct EmbeddingGradient: Operation {
  let name = "embedding gradient"
  let rows: Int
  let entries: Int
  let width: Int
  let accumulates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { rows * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (indices, dy, dweight) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        let index = run.integers(indices)
        let (gradient, table) = (run[dy], run[dweight])
        if !accumulates { table.update(repeating: 0, count: entries &* width) }
        for r in 0..<rows {
          let entry = Int(UInt32(bitPattern: index[r]))
          guard entry < entries else { continue }
          Rows.add(gradient + r &* width, toRowsOf: table + entry &* width, rows: 1, columns: width)
        }
      }
    }
  }
}

extension Recorder {
  /// Rows of a table: `indices` is Int32 of any shape, `weight` is `[entries, width]`, the result `[indices…, width]`.
  public func embedding(_ indices: Value, _ weight: Value) -> Value {
    precondition(
      self[indices].type == .int32 && shape(weight).rank == 2, "embedding of \(shape(indices)) in \(shape(weight))")
    let (entries, width) = (shape(weight)[0], shape(weight)[1])
    return append(
      Embedding(rows: shape(indices).count, entries: entries, width: width), [indices, weight],
      [.new(Shape(shape(indices).dimensions + [width]))])[0]
  }
}

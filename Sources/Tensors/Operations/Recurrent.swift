/// Cells of recurrent layers, with PyTorch's formulas.
public enum RecurrentCell: String, CaseIterable, Sendable {
  /// h = tanh(x part + h′ part) (Elman 1990).
  case tanh
  /// Long short-term memory with gates i, f, g, o (Hochreiter and Schmidhuber 1997; Gers et al. 1999).
  case lstm
  /// Gated recurrent unit with gates r, z, n, the reset gate after the product (Cho et al. 2014).
  case gru

  /// Gates of a hidden unit: rows of weights a unit.
  public var gates: Int {
    switch self {
    case .tanh: 1
    case .lstm: 4
    case .gru: 3
    }
  }
}

/// The recurrence over time, given the parts of the gates that come from the inputs: the state starts at zero.
///
/// Inputs: gate parts `[batch, time, gates · width]`, weight `[gates · width, width]`, bias `[gates · width]`.  Outputs: h
/// of every step, and what the gradient needs: gate values and (LSTM) cells or (GRU) the h part of gate n.
struct Recurrence: Operation {
  let cell: RecurrentCell
  let sizes: Sizes
  var name: String { "\(cell.rawValue) recurrence" }
  var inPlace: [(input: Int, output: Int)] { cell == .tanh ? [(0, 0)] : [(0, 1)] }

  struct Sizes: Sendable {
    let batch: Int
    let time: Int
    let width: Int
    let gates: Int

    /// Scalars from the gates of one sample to those of the next.
    var gateStride: Int { time * gates * width }
    /// The same of states.
    var stateStride: Int { time * width }
    /// Operations of the products over all time steps.
    var flops: Int { 2 * batch * time * gates * width * width }
  }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { sizes.flops }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (s, product) = (sizes, MatrixProduct(compute))
    let (rows, columns) = (s.batch * s.time, s.gates * s.width)
    let scratch = cell == .gru ? s.batch * columns * 4 : 0
    return Lowering(scratchBytes: scratch) { at in
      let (parts, weight, bias, y) = (at.inputs[0], at.inputs[1], at.inputs[2], at.outputs[0])
      let values = cell == .tanh ? y : at.outputs[1]
      let kept = cell == .tanh ? y : at.outputs[2]
      return { run in
        let (gates, output, hidden) = (run[values], run[y], run[at.scratch])
        if gates != run[parts] { gates.update(from: run[parts], count: rows &* columns) }
        if cell != .gru { Rows.add(run[bias], toRowsOf: gates, rows: rows, columns: columns) }
        for step in 0..<s.time {
          let here = gates + step &* columns
          let h = output + step &* s.width
          if cell == .gru {
            for sample in 0..<s.batch { (hidden + sample &* columns).update(from: run[bias], count: columns) }
          }
          if step > 0 {
            product(
              h - s.width, lda: s.stateStride, run[weight], transposeB: true, ldb: s.width,
              into: cell == .gru ? hidden : here, ldc: cell == .gru ? columns : s.gateStride, m: s.batch, n: columns,
              k: s.width, beta: 1)
          }
          let state = run[kept] + step &* s.width
          switch cell {
          case .tanh:
            for sample in 0..<s.batch {
              let row = here + sample &* s.gateStride
              Activations.tanh(row, into: row, s.width)
            }
          case .lstm:
            Gates.lstm(
              here, before: step > 0 ? state - s.width : nil, cell: state, h, batch: s.batch, width: s.width,
              gateStride: s.gateStride, stateStride: s.stateStride)
          case .gru:
            Gates.gru(
              here, hidden: hidden, before: step > 0 ? h - s.width : nil, kept: state, h, batch: s.batch,
              width: s.width, gateStride: s.gateStride, stateStride: s.stateStride)
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let (parts, weight, bias, y) = (call.inputs[0], call.inputs[1], call.inputs[2], call.outputs[0])
    let (rows, columns) = (sizes.batch * sizes.time, sizes.gates * sizes.width)
    let returning = recorder.flowsThroughTime ? recorder.feedback(for: weight) ?? weight : weight
    let made = recorder.append(
      RecurrenceGradient(cell: cell, sizes: sizes, flowsThroughTime: recorder.flowsThroughTime),
      [returning, gradient] + call.outputs,
      [.new(recorder.shape(parts))] + (cell == .gru ? [.new(recorder.shape(parts))] : []))
    let dhidden = made[made.count - 1]
    recorder.contribute(made[0], to: parts)
    if recorder.needsGradient(weight) {
      let before = recorder.append(EarlierStates(sizes: sizes), [y], [.new(recorder.shape(y))])[0]
      let slot = recorder.gradientSlot(of: weight)
      recorder.append(
        LinearWeightGradient(rows: rows, inputs: sizes.width, outputs: columns, accumulates: slot.accumulates),
        [dhidden, before], [slot.output])
      recorder.filled(slot)
    }
    if recorder.needsGradient(bias) {
      let slot = recorder.gradientSlot(of: bias)
      recorder.append(ColumnSum(rows: rows, columns: columns, accumulates: slot.accumulates), [dhidden], [slot.output])
      recorder.filled(slot)
    }
  }
}

/// Backpropagation through time: from the last step to the first; or, unless `flowsThroughTime`, each step by itself with
/// the state before it as a constant.
///
/// Inputs: weight, gradient of h, then the outputs of the recurrence.  Outputs: gradients of the gate parts from x and, for
/// GRU, from h.
struct RecurrenceGradient: Operation {
  let cell: RecurrentCell
  let sizes: Recurrence.Sizes
  let flowsThroughTime: Bool
  var name: String { "\(cell.rawValue) recurrence gradient" }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { flowsThroughTime ? sizes.flops : 0 }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (s, product) = (sizes, MatrixProduct(compute))
    let (columns, count) = (s.gates * s.width, s.batch * s.width)
    return Lowering(scratchBytes: 2 * count * 4) { at in
      let (weight, gradient, y) = (at.inputs[0], at.inputs[1], at.inputs[2])
      let values = cell == .tanh ? y : at.inputs[3]
      let kept = cell == .tanh ? y : at.inputs[4]
      let (parts, hidden) = (at.outputs[0], at.outputs[at.outputs.count - 1])
      return { run in
        let (carry, carryC) = (run[at.scratch], run[at.scratch] + count)
        carry.update(repeating: 0, count: 2 &* count)
        for step in (0..<s.time).reversed() {
          let (gates, state) = (run[values] + step &* columns, run[kept] + step &* s.width)
          let (dy, dgates) = (run[gradient] + step &* s.width, run[parts] + step &* columns)
          let dhidden = run[hidden] + step &* columns
          switch cell {
          case .tanh:
            for sample in 0..<s.batch {
              let (dh, dgate) = (carry + sample &* s.width, dgates + sample &* s.gateStride)
              Elementwise.add(dh, dy + sample &* s.stateStride, dgate, s.width)
              Activations.tanhGradient(state + sample &* s.stateStride, dgate, into: dgate, s.width)
            }
          case .lstm:
            Gates.lstmGradient(
              gates, before: step > 0 ? state - s.width : nil, cell: state, dy, into: dgates, carryH: carry,
              carryC: carryC, batch: s.batch, width: s.width, gateStride: s.gateStride, stateStride: s.stateStride)
          case .gru:
            Gates.gruGradient(
              gates, before: step > 0 ? run[y] + (step &- 1) &* s.width : nil, kept: state, dy, into: dgates, dhidden,
              carry: carry, batch: s.batch, width: s.width, gateStride: s.gateStride, stateStride: s.stateStride)
          }
          if !flowsThroughTime {
            carry.update(repeating: 0, count: 2 &* count)
          } else if step > 0 {
            product(
              dhidden, lda: s.gateStride, run[weight], ldb: s.width, into: carry, ldc: s.width, m: s.batch, n: s.width,
              k: columns, beta: cell == .gru ? 1 : 0)
          }
        }
      }
    }
  }
}

/// The state before each step: zero, then the states but the last.
struct EarlierStates: Operation {
  let name = "earlier states"
  let sizes: Recurrence.Sizes

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let s = sizes
    return Lowering { at in
      let (y, before) = (at.inputs[0], at.outputs[0])
      return { run in
        for sample in 0..<s.batch {
          let target = run[before] + sample &* s.stateStride
          target.update(repeating: 0, count: s.width)
          (target + s.width).update(from: run[y] + sample &* s.stateStride, count: (s.time &- 1) &* s.width)
        }
      }
    }
  }
}

extension Recorder {
  /// A recurrent layer: `x` is `[batch, time, inputs]`, the result `[batch, time, width]`, the state starts at zero.
  ///
  /// Parameters have PyTorch's layout: `inputWeight` `[gates · width, inputs]`, `hiddenWeight` `[gates · width, width]`, a
  /// bias `[gates · width]` for each.  The input's part of all time steps is one product.
  public func recurrent(
    _ cell: RecurrentCell, _ x: Value, inputWeight: Value, hiddenWeight: Value, inputBias: Value, hiddenBias: Value
  ) -> Value {
    let (from, width) = (shape(x), shape(hiddenWeight)[1])
    let rows = cell.gates * width
    precondition(
      from.rank == 3 && from.count > 0 && shape(inputWeight) == [rows, from[2]] && shape(hiddenWeight) == [rows, width]
        && shape(inputBias) == [rows] && shape(hiddenBias) == [rows],
      "\(cell.rawValue) over \(from) with weights \(shape(inputWeight)) and \(shape(hiddenWeight))")
    let parts = linear(x, inputWeight, bias: inputBias)
    let sizes = Recurrence.Sizes(batch: from[0], time: from[1], width: width, gates: cell.gates)
    let state = Shape([from[0], from[1], width])
    let saved: [Output] = cell == .tanh ? [] : [.new(shape(parts)), .new(state)]
    return append(
      Recurrence(cell: cell, sizes: sizes), [parts, hiddenWeight, hiddenBias], [.new(state)] + saved)[0]
  }
}

/// y[r, h] = Σ_c x[r, h, c] v[h, c]: one number a row and head.
struct HeadProducts: Operation {
  let name = "head products"
  let rows: Int
  let heads: Int
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 2 * rows * heads * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, vectors, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          for head in 0..<heads {
            let start = row &* heads &+ head
            run[y][start] = Neighbours.dot(run[x] + start &* width, run[vectors] + head &* width, width)
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let (x, vectors) = (call.inputs[0], call.inputs[1])
    if recorder.needsGradient(vectors) {
      let slot = recorder.gradientSlot(of: vectors)
      recorder.append(
        HeadVectorGradient(rows: rows, heads: heads, width: width, accumulates: slot.accumulates), [gradient, x],
        [slot.output])
      recorder.filled(slot)
    }
    if recorder.needsGradient(x) {
      let dx = recorder.append(
        HeadInputGradient(rows: rows, heads: heads, width: width), [gradient, vectors], [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
  }
}

/// dx[r, h, c] = dy[r, h] v[h, c].
struct HeadInputGradient: Operation {
  let name = "head products input gradient"
  let rows: Int
  let heads: Int
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { rows * heads * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, vectors, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for row in 0..<rows {
          for head in 0..<heads {
            let start = row &* heads &+ head
            Elementwise.scale(
              run[vectors] + head &* width, by: run[dy][start], into: run[dx] + start &* width, width)
          }
        }
      }
    }
  }
}

/// dv[h, c] = Σ_r dy[r, h] x[r, h, c], in blocks of 64 rows: short chains keep the error low.
struct HeadVectorGradient: Operation {
  let name = "head products vector gradient"
  let rows: Int
  let heads: Int
  let width: Int
  let accumulates: Bool

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 2 * rows * heads * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering(scratchBytes: 4 * heads * width) { at in
      let (dy, x, dvectors, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      return { run in
        let (partial, total, size) = (run[scratch], run[dvectors], heads &* width)
        if !accumulates { total.update(repeating: 0, count: size) }
        var first = 0
        while first < rows {
          partial.update(repeating: 0, count: size)
          for row in first..<min(first &+ 64, rows) {
            for head in 0..<heads {
              let start = row &* heads &+ head
              Neighbours.add(run[dy][start], times: run[x] + start &* width, to: partial + head &* width, width)
            }
          }
          Neighbours.add(1, times: partial, to: total, size)
          first &+= 64
        }
      }
    }
  }
}

extension Recorder {
  /// The product of each head of each row with the head's vector: `x` is `[…, heads · width]`, `vectors` holds `heads · width`
  /// scalars, the result is `[…, heads]`.
  public func headProducts(_ x: Value, _ vectors: Value, heads: Int) -> Value {
    let from = shape(x)
    precondition(
      heads > 0 && from[-1] % heads == 0 && shape(vectors).count == from[-1],
      "products of \(heads) heads of \(from) with \(shape(vectors))")
    return append(
      HeadProducts(rows: from.count / from[-1], heads: heads, width: from[-1] / heads), [x, vectors],
      [.new(Shape(from.dimensions.dropLast() + [heads]))])[0]
  }
}

/// Arrays side by side along one axis.
struct Concatenation: Operation {
  let name = "concatenation"
  /// Positions before the axis.
  let outer: Int
  /// Scalars that each input has at such a position.
  let chunks: [Int]

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let total = chunks.reduce(0, +)
    return Lowering { at in
      let y = at.outputs[0]
      return { run in
        var start = 0
        for (input, chunk) in zip(at.inputs, chunks) {
          Chunks.copy(run[input], stride: chunk, to: run[y] + start, stride: total, outer, chunk)
          start &+= chunk
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    var start = 0
    for (input, chunk) in zip(call.inputs, chunks) {
      defer { start += chunk }
      guard recorder.needsGradient(input) else { continue }
      let dx = recorder.append(
        Slice(outer: outer, whole: chunks.reduce(0, +), start: start, chunk: chunk), [gradient],
        [.new(recorder.shape(input))])
      recorder.contribute(dx[0], to: input)
    }
  }
}

/// A range of one axis.
struct Slice: Operation {
  let name = "slice"
  let outer: Int
  /// Scalars of the input at a position before the axis.
  let whole: Int
  let start: Int
  let chunk: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in Chunks.copy(run[x] + start, stride: whole, to: run[y], stride: chunk, outer, chunk) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let dx = recorder.append(
      SliceGradient(outer: outer, whole: whole, start: start, chunk: chunk), [gradient],
      [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// Zeros around the gradient of a range.
struct SliceGradient: Operation {
  let name = "slice gradient"
  let outer: Int
  let whole: Int
  let start: Int
  let chunk: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, dx) = (at.inputs[0], at.outputs[0])
      return { run in
        run[dx].update(repeating: 0, count: outer &* whole)
        Chunks.copy(run[dy], stride: chunk, to: run[dx] + start, stride: whole, outer, chunk)
      }
    }
  }
}

/// Copies of equal pieces at equal distances.
enum Chunks {
  @inline(never)
  static func copy(
    _ x: UnsafePointer<Float>, stride: Int, to y: UnsafeMutablePointer<Float>, stride target: Int, _ count: Int,
    _ size: Int
  ) {
    for i in 0..<count { (y + i &* target).update(from: x + i &* stride, count: size) }
  }
}

extension Recorder {
  /// Values side by side along an axis (negative axes count from the last); their other extents are equal.
  public func concatenate(_ values: [Value], axis: Int = -1) -> Value {
    precondition(!values.isEmpty, "concatenating nothing")
    let first = shape(values[0])
    let axis = axis < 0 ? axis + first.rank : axis
    precondition(
      first.dimensions.indices.contains(axis)
        && values.allSatisfy { value in
          shape(value).rank == first.rank && (0..<first.rank).allSatisfy { $0 == axis || shape(value)[$0] == first[$0] }
        }, "concatenating \(values.map { shape($0) }) along axis \(axis)")
    let inner = first.dimensions[(axis + 1)...].reduce(1, *)
    var result = first.dimensions
    result[axis] = values.reduce(0) { $0 + shape($1)[axis] }
    return append(
      Concatenation(outer: first.dimensions[..<axis].reduce(1, *), chunks: values.map { shape($0)[axis] * inner }),
      values, [.new(Shape(result))])[0]
  }

  /// The range of an axis (negative axes count from the last).
  public func slice(_ value: Value, _ range: Range<Int>, axis: Int = -1) -> Value {
    let from = shape(value)
    let axis = axis < 0 ? axis + from.rank : axis
    precondition(
      from.dimensions.indices.contains(axis) && range.lowerBound >= 0 && range.upperBound <= from[axis],
      "slice \(range) of axis \(axis) of \(from)")
    if range == 0..<from[axis] { return value }
    let inner = from.dimensions[(axis + 1)...].reduce(1, *)
    var result = from.dimensions
    result[axis] = range.count
    return append(
      Slice(
        outer: from.dimensions[..<axis].reduce(1, *), whole: from[axis] * inner, start: range.lowerBound * inner,
        chunk: range.count * inner), [value], [.new(Shape(result))])[0]
  }
}

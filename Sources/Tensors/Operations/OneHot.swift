/// Rows with a one in the place of the row's class, zeros elsewhere; a class out of range makes its row NaN.
struct OneHot: Operation {
  let name = "one-hot"
  let rows: Int
  let classes: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (targets, y) = (at.inputs[0], at.outputs[0])
      return { run in
        for row in 0..<rows {
          let label = Int(UInt32(bitPattern: run.integers(targets)[row]))
          let place = run[y] + row &* classes
          place.update(repeating: label < classes ? 0 : .nan, count: classes)
          if label < classes { place[label] = 1 }
        }
      }
    }
  }
}

extension Recorder {
  /// Int32 classes `[rows]` as rows `[rows, classes]` of zeros with a one.
  public func oneHot(_ targets: Value, classes: Int) -> Value {
    precondition(self[targets].type == .int32 && classes > 0, "one-hot of \(shape(targets)) in \(classes) classes")
    let rows = shape(targets).count
    return append(OneHot(rows: rows, classes: classes), [targets], [.new([rows, classes])])[0]
  }
}

/// Rows with zeros in place of those whose target has no class (−1).
struct RowsWithClass: Operation {
  let name = "rows with class"
  let rows: Int
  let width: Int
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, targets, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        let (source, result, classes) = (run[x], run[y], run.integers(targets))
        for row in 0..<rows {
          let place = result + row &* width
          if classes[row] < 0 {
            place.update(repeating: 0, count: width)
          } else if result != source {
            place.update(from: source + row &* width, count: width)
          }
        }
      }
    }
  }
}

extension Recorder {
  /// `x` with zeros in the rows whose Int32 target is −1: such as have no class to learn from.  No gradient flows.
  public func rowsWithClass(_ x: Value, _ targets: Value) -> Value {
    let rows = shape(targets).count
    precondition(
      self[targets].type == .int32 && rows > 0 && shape(x).count % rows == 0,
      "\(shape(targets)) for rows of \(shape(x))")
    return append(RowsWithClass(rows: rows, width: shape(x).count / rows), [x, targets], [.new(shape(x))])[0]
  }
}

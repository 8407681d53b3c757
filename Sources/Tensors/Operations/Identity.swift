/// The identity matrix.
struct Identity: Operation {
  let name = "identity"
  let extent: Int

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let y = at.outputs[0]
      return { run in
        run[y].update(repeating: 0, count: extent &* extent)
        for index in 0..<extent { run[y][index &* (extent &+ 1)] = 1 }
      }
    }
  }
}

extension Recorder {
  /// The matrix `[extent, extent]` of ones on the diagonal: all classes, a row each.
  public func identity(_ extent: Int) -> Value {
    precondition(extent > 0, "an identity of \(extent) rows")
    return append(Identity(extent: extent), [], [.new([extent, extent])])[0]
  }
}

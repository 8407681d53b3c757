/// The same scalars in another shape; costs nothing.
struct Reshape: Operation {
  let name = "reshape"
  let isView = true

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { _ in { _ in } }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    recorder.contribute(recorder.reshape(gradient, recorder.shape(call.inputs[0])), to: call.inputs[0])
  }
}

/// The same scalars, through which no gradient flows; costs nothing.
struct Detach: Operation {
  let name = "detach"
  let isView = true

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { _ in { _ in } }
  }
}

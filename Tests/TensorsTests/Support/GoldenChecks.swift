import Tensors
import Testing

/// Runs an operation on the arrays of a golden case and holds its output and all gradients against PyTorch's.
///
/// `loose` has other tolerances for the gradients of arrays.  `moved` names states after one step of momentum 0.1, `names` are the arrays that the operation reads, in the order that `build` gets them.
func expectGolden(
  _ golden: Golden, _ names: [String], states: [Array32] = [], moved: [String] = [], compute: Compute = Compute(),
  tolerance: Double = 2e-6, loose: [String: Double] = [:], sourceLocation: SourceLocation = #_sourceLocation,
  build: (Recorder, [Value], [ModelState]) -> Value
) {
  let run = Harness(
    names.map { golden[$0] }, states: states, weights: golden["dy"].scalars, compute: compute, build: build)
  let error = relativeError(run.output, golden["y"].scalars)
  #expect(error < tolerance, "y of \(golden.name): \(error)", sourceLocation: sourceLocation)
  for (name, gradient) in zip(names, run.gradients) {
    let error = relativeError(gradient, golden["d" + name].scalars)
    #expect(error < loose[name] ?? tolerance, "d\(name) of \(golden.name): \(error)", sourceLocation: sourceLocation)
  }
  for (statistic, (state, after)) in zip(run.statistics, zip(states, moved)) {
    let expected = zip(state.scalars, golden[after].scalars).map { $0 + ($1 - $0) / 0.1 }
    let error = relativeError(statistic, expected)
    #expect(error < 1e-5, "\(after) of \(golden.name): \(error)", sourceLocation: sourceLocation)
  }
}
